use std::collections::BTreeMap;

use super::*;

fn with_template(template: Template, source: &str) -> Result<Wording, Vec<WordingError>> {
    Wording::new(BTreeMap::from([(template, source.to_owned())]))
}

fn refused(template: Template, source: &str) -> String {
    let mistakes = with_template(template, source).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].to_string()
}

fn moved() -> Message {
    Message::changes(
        Language::English,
        changed(json!({"avsparkstid": "18:30", "lag1namn": "A <B> *C*"})),
    )
}

#[test]
fn a_user_can_replace_each_template() {
    let source =
        "{% for m in matches %}{{ m.home }} {{ t('label-when') }}: {{ m.when }}{% endfor %}";
    let told = Template::ALL.iter().map(|&template| {
        let wording = with_template(template, source).unwrap();
        let (message, now) = (moved(), NOW);
        let mail = wording.mail(&message, now);
        let embed = wording.discord(&message, NOW)["embeds"][0].clone();
        let text = match template {
            Template::NtfyTitle => wording.text(&message, NOW).title,
            Template::NtfyText => wording.text(&message, NOW).body,
            Template::MailSubject => mail.subject,
            Template::MailText => mail.text,
            Template::MailHtml => mail.html,
            Template::DiscordTitle => embed["title"].as_str().unwrap().to_owned(),
            Template::DiscordText => embed["description"].as_str().unwrap().to_owned(),
        };
        format!("{template}: {}", text.trim())
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    ntfy_title: A <B> *C* When: Tuesday 11 May at 18:30
    ntfy_text: A <B> *C* When: Tuesday 11 May at 18:30
    mail_subject: A <B> *C* When: Tuesday 11 May at 18:30
    mail_text: A <B> *C* When: Tuesday 11 May at 18:30
    mail_html: A &lt;B&gt; *C* When: Tuesday 11 May at 18:30
    discord_title: A \<B\> \*C\* When: Tuesday 11 May at 18:30
    discord_text: A \<B\> \*C\* When: Tuesday 11 May at 18:30
    "#);
}

#[test]
fn a_mistake_is_told_at_the_start_with_its_place() {
    let told = [
        refused(Template::NtfyText, "one\n{{ macthes }}"),
        refused(
            Template::MailHtml,
            "{% for m in matches %}\n{{ m.hom }}\n{% endfor %}",
        ),
        refused(Template::MailText, "{{ t('label-nothing') }}"),
        refused(Template::DiscordText, "{% if %}"),
        refused(
            Template::NtfyTitle,
            "{% for i in range(100000) %}{% for j in range(100) %}x{% endfor %}{% endfor %}",
        ),
        refused(Template::NtfyText, "{{ 'x' * 600000 }}"),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    template ntfy_text, line 2: unknown variable `macthes` (there are kind, language, priority, priority_name, title, intro, matches, more, alerts; see docs/messages.md)
    template mail_html, line 2: undefined value (there are kind, language, priority, priority_name, title, intro, matches, more, alerts; see docs/messages.md) in `{{ m.hom }}`
    template mail_text, line 1: invalid operation: there is no phrase `label-nothing` that needs no more than these values in `{{ t('label-nothing') }}`
    template discord_text, line 1: syntax error: unexpected end of block in `{% if %}`
    template ntfy_title, line 1: engine ran out of fuel in `{% for i in range(100000) %}{% for j in range(100) %}x{% endfor %}{% endfor %}`
    template ntfy_text: it makes too much text: I/O error during rendering
    ");
}

#[test]
fn all_templates_with_mistakes_are_told_at_once() {
    let broken = "{{ nothing }}".to_owned();
    let overrides = Template::ALL
        .iter()
        .map(|&template| (template, broken.clone()));
    let mistakes = Wording::new(overrides.collect()).unwrap_err();
    assert_eq!(mistakes.len(), Template::ALL.len());
}

#[test]
fn where_a_template_fails_the_built_in_one_serves() {
    let source = "{% for m in matches %}{% if m.home == 'Norra IF' %}{{ m.nothing }}{% endif %}{% endfor %}x";
    let wording = with_template(Template::NtfyText, source).unwrap();
    let message = Message::changes(Language::English, changed(json!({"avsparkstid": "18:30"})));
    let plain = super::wording().text(&message, NOW);
    assert_eq!(wording.text(&message, NOW), plain);
    assert_eq!(wording.failures(), 1);
    assert_eq!(wording.failed().collect::<Vec<_>>(), [Template::NtfyText]);
    assert_eq!(
        wording.text(&Message::test(Language::English), NOW).body,
        "x\n"
    );
}

#[test]
fn a_title_stays_on_one_line_and_short() {
    let source = "{{ title }}\r\nBcc: {{ 'x' * 5000 }}";
    let wording = with_template(Template::MailSubject, source).unwrap();
    let subject = wording.mail(&moved(), NOW).subject;
    assert!(!subject.contains(['\r', '\n']));
    assert_eq!(subject.chars().count(), 200);
}

#[test]
fn phrases_take_values_and_the_language_of_the_message() {
    let source = "{{ t('digest-title', count=3) }} {{ language }}";
    let wording = with_template(Template::NtfyText, source).unwrap();
    let told = Language::ALL
        .iter()
        .map(|&language| wording.text(&Message::test(language), NOW).body);
    insta::assert_snapshot!(told.collect::<String>(), @"
    Nyheter om 3 matcher sv
    News of 3 matches en
    ");
}

#[test]
fn the_examples_of_the_documentation_work() {
    let document = include_str!("../../../../docs/messages.md");
    let mut tried = Vec::new();
    for example in document.split("```jinja\n").skip(1) {
        let source = example.split("```").next().unwrap();
        let name = source.trim_start_matches("{# ").split('.').next().unwrap();
        let template = Template::from_label(name).unwrap();
        with_template(template, source).unwrap();
        tried.push(template);
    }
    assert_eq!(tried, [Template::MailSubject, Template::NtfyText]);
    for &template in Template::ALL {
        assert!(document.contains(&format!("`{template}`")), "{template}");
    }
}

/// Every field that the event has is in the documentation, and the other way round.
#[test]
fn the_documentation_names_every_field_of_an_event() {
    let document = include_str!("../../../../docs/messages.md");
    let example = document.split("```json\n").nth(1).unwrap();
    let example: Value = serde_json::from_str(example.split("```").next().unwrap()).unwrap();
    let news = changed(json!({"avsparkstid": "18:30", "domaruppdraglista":
        [referee(51, "Huvuddomare", "Anna Exempel")]}));
    let mut message = Message::changes(Language::English, news);
    message.matches[0]
        .news
        .retain(|news| news.subject() == Subject::Time);
    let event = super::webhook::event(&message);
    assert_eq!(example, event);
}

/// Deliveries share it between threads.
#[test]
fn a_wording_can_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&wording());
}
