use super::*;

fn mail(fields: Value) -> MailContent {
    wording().mail(&Message::changes(Language::Swedish, changed(fields)), NOW)
}

#[test]
fn a_mail_as_html() {
    let moved = mail(json!({"avsparkstid": "18:30", "anlaggningnamn": "Vallen <2>"}));
    insta::assert_snapshot!("mail_html", moved.html);
}

#[test]
fn the_text_of_a_mail_is_that_of_a_message_with_a_footer() {
    let message = Message::changes(Language::Swedish, changed(json!({"avsparkstid": "18:30"})));
    let wording = wording();
    let (mail, plain) = (wording.mail(&message, NOW), wording.text(&message, NOW));
    assert_eq!(mail.subject, plain.title);
    let footer = mail.text.strip_prefix(&plain.body).unwrap();
    insta::assert_snapshot!(footer.replace('\n', "|"), @"|-- |Meddelandet är skickat automatiskt. Det som gäller är alltid det som står i Fogis.|");
}

#[test]
fn every_kind_of_message_is_a_whole_page_that_loads_nothing() {
    let wording = wording();
    for &language in Language::ALL {
        for (name, message) in every_kind(language) {
            let html = wording.mail(&message, NOW).html;
            assert!(
                html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"),
                "{name}"
            );
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            for remote in ["<img", "<script", "<link", "url(", "@import", "src="] {
                assert!(!html.contains(remote), "{name}: {remote}");
            }
            assert_eq!(wording.failures(), 0);
        }
    }
}
