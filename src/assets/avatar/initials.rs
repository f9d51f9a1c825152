//! The letters that stand for a club, as a scoreboard shows them.
//!
//! `Falkenbergs FF` is `FAL`, not `FFF`: nine clubs of ten end in the same IF, FF or BK, so the
//! place tells more. A place of several words gives their first letters (`Västra Frölunda IF` is
//! `VF`), an abbreviation stays whole (`GAIS`). Two clubs of one match that would get the same
//! letters are told apart where their names are (`Kungsbacka` and `Kungälvs`: `KUS` and `KUÄ`).

/// How many characters of a name are read.
pub const READ: usize = 96;

/// Letters of a label at most.
const LONGEST: usize = 4;

/// Words for the kind of a club, which hardly tell it from the next one.
const FORMS: [&str; 33] = [
    "AFC",
    "AIF",
    "AIK",
    "AIS",
    "BIF",
    "BIS",
    "BK",
    "BOIS",
    "BOLLKLUBB",
    "BTK",
    "DFF",
    "DFK",
    "FBK",
    "FC",
    "FF",
    "FIF",
    "FK",
    "FOTBOLL",
    "FOTBOLLSKLUBB",
    "GIF",
    "GIK",
    "GOIF",
    "GOIK",
    "IBK",
    "IF",
    "IFK",
    "IK",
    "IS",
    "KFF",
    "KIF",
    "SC",
    "SF",
    "SK",
];

/// Words for one of a club's teams.
const SQUADS: [&str; 12] = [
    "A", "AKADEMI", "B", "DAM", "DAMER", "FLICK", "FLICKOR", "HERR", "HERRAR", "II", "POJKAR",
    "UTV",
];

/// One word of a name, in capitals and in letters that the font has.
struct Word {
    text: String,
    shouted: bool,
}

impl Word {
    fn first(&self, count: usize) -> String {
        self.text.chars().take(count).collect()
    }

    fn is_form(&self) -> bool {
        FORMS.contains(&self.text.as_str())
    }

    fn is_squad(&self) -> bool {
        let age = self
            .text
            .strip_prefix(['U', 'P', 'F'])
            .unwrap_or(&self.text);
        let number = !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit());
        number || SQUADS.contains(&self.text.as_str())
    }
}

/// The words of a name, sorted into what names the club and what only tells its kind.
struct Name {
    place: Vec<Word>,
    form: Option<Word>,
}

impl Name {
    fn read(name: &str) -> Self {
        let mut words = words(name);
        if !words.iter().all(Word::is_squad) {
            words.retain(|word| !word.is_squad());
        }
        let (mut forms, place): (Vec<_>, Vec<_>) = words.into_iter().partition(Word::is_form);
        let form = if forms.is_empty() {
            None
        } else {
            Some(forms.swap_remove(0))
        };
        Self { place, form }
    }

    fn label(&self) -> String {
        match self.place.as_slice() {
            [] => self
                .form
                .as_ref()
                .map(|form| form.first(LONGEST))
                .unwrap_or_default(),
            [word] if word.shouted && word.text.chars().count() <= LONGEST => word.text.clone(),
            [word] => word.first(3),
            several => several.iter().take(3).map(|word| word.first(1)).collect(),
        }
    }

    fn run_together(&self) -> Vec<char> {
        self.place
            .iter()
            .flat_map(|word| word.text.chars())
            .collect()
    }

    /// Place and kind, for two clubs of one place: `GIFK` and `GFC`.
    fn with_form(&self) -> String {
        match (self.place.first(), &self.form) {
            (Some(place), Some(form)) => place.first(1) + &form.first(LONGEST - 1),
            _ => self.label(),
        }
    }
}

/// The letters for the home and the away club, each of 0 to 4 characters that the font has.
///
/// None at all means that the name has no letter that could be drawn.
pub fn pair(home: &str, away: &str) -> [String; 2] {
    let (home, away) = (Name::read(home), Name::read(away));
    let labels = [home.label(), away.label()];
    if labels[0] != labels[1] || home.place.is_empty() || away.place.is_empty() {
        return labels;
    }
    let letters = [home.run_together(), away.run_together()];
    if letters[0] == letters[1] {
        let forms = [home.with_form(), away.with_form()];
        return if forms[0] == forms[1] { labels } else { forms };
    }
    let split = letters[0]
        .iter()
        .zip(&letters[1])
        .take_while(|(a, b)| a == b)
        .count();
    letters.map(|letters| apart(&letters, split))
}

fn apart(letters: &[char], split: usize) -> String {
    match letters.get(split) {
        Some(letter) if split > 2 => letters[..2].iter().chain([letter]).collect(),
        _ => letters.iter().take(3).collect(),
    }
}

fn words(name: &str) -> Vec<Word> {
    let mut words = vec![Word {
        text: String::new(),
        shouted: true,
    }];
    for letter in name.chars().take(READ) {
        let Some(word) = words.last_mut() else { break };
        if letter.is_whitespace() || matches!(letter, '-' | '–' | '/' | '.' | ',' | '&' | '(' | ')')
        {
            words.push(Word {
                text: String::new(),
                shouted: true,
            });
        } else if let Some(composed) = word.text.chars().last().and_then(|b| compose(b, letter)) {
            word.text.pop();
            word.text.push(composed);
        } else {
            word.shouted &= !letter.is_lowercase();
            word.text
                .extend(letter.to_uppercase().filter(|&capital| drawable(capital)));
        }
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// Whether the embedded font draws this capital or digit.
pub fn drawable(letter: char) -> bool {
    match letter {
        'A'..='Z' | '0'..='9' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{de}' => true,
        'Ĕ' | 'Ĭ' | 'Ĳ' | 'Ŀ' | 'Ŏ' => false,
        _ => letter.is_uppercase() && ('\u{100}'..='\u{17d}').contains(&letter),
    }
}

/// A capital and a combining mark as one letter, for the marks that Swedish names have.
///
/// Any other mark is dropped, which leaves the bare letter.
fn compose(base: char, mark: char) -> Option<char> {
    Some(match (base, mark) {
        ('A', '\u{30a}') => 'Å',
        ('A', '\u{308}') => 'Ä',
        ('O', '\u{308}') => 'Ö',
        ('U', '\u{308}') => 'Ü',
        ('E', '\u{301}') => 'É',
        _ => return None,
    })
}
