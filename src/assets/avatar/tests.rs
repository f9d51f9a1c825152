//! What the picture promises: size, sameness, legibility, and no name that breaks it.

use proptest::prelude::*;
use tiny_skia::Pixmap;

use super::colour::Rgb;
use super::kit::{Kit, MIN_DISTANCE, MIN_SHADE};
use super::lettering::{Half, Sign, place};
use super::*;

fn club(id: i64, name: &str) -> Club {
    Club {
        id: Some(id),
        name: name.to_owned(),
    }
}

fn nameless(name: &str) -> Club {
    Club {
        id: None,
        name: name.to_owned(),
    }
}

fn png(home: &Club, away: &Club) -> Vec<u8> {
    let png = draw(home, away).expect("drawn");
    let picture = Pixmap::decode_png(&png).expect("a PNG");
    assert_eq!((picture.width(), picture.height()), (SIZE, SIZE));
    assert!(
        picture.pixels().iter().all(|pixel| pixel.alpha() == 255),
        "opaque"
    );
    assert!(png.len() <= 60_000, "{} bytes", png.len());
    png
}

#[test]
fn the_same_clubs_give_the_same_bytes() {
    let (home, away) = (
        club(11_003, "Falkenbergs FF"),
        club(11_017, "Kungsbacka IF"),
    );
    assert_eq!(png(&home, &away), png(&home, &away));
}

#[test]
fn other_clubs_or_other_sides_give_another_picture() {
    let (home, away) = (
        club(11_003, "Falkenbergs FF"),
        club(11_017, "Kungsbacka IF"),
    );
    let picture = png(&home, &away);
    assert_ne!(picture, png(&away, &home), "swapped");
    assert_ne!(
        picture,
        png(&home, &club(11_018, "Qviding FIF")),
        "another away club"
    );
    assert_ne!(
        picture,
        png(&club(11_003, "Ytterby IS"), &away),
        "another name"
    );
    assert_ne!(
        png(&nameless("Åsvik"), &away),
        png(&nameless("Åsvall"), &away),
        "no id"
    );
}

#[test]
fn a_club_against_itself_still_has_two_colours() {
    let twice = club(11_003, "Falkenbergs FF");
    let kits = Kit::for_match(&twice, &twice);
    assert!(kits[0].base.distance(kits[1].base) >= MIN_DISTANCE);
    png(&twice, &twice);
}

#[test]
fn hostile_names_are_drawn() {
    let megabyte = "Å".repeat(500_000);
    let marks = format!("A{}", "\u{30a}".repeat(1_000_000));
    let names = [
        "",
        " ",
        "\0\n\t",
        "🦊⚽",
        "Спартак Москва",
        "ФК 1906",
        "القادسية",
        "\u{202e}FF gnusretsÖ",
        "ß",
        "ﬃ",
        "\u{200b}\u{200d}",
        "../../etc",
        "WWWW",
        "IJ",
        "1",
        "Ǆ",
        &megabyte,
        &marks,
    ];
    for pair in names.chunks(2) {
        png(&nameless(pair[0]), &club(i64::MIN, pair[1]));
    }
}

/// Contrast ratio as WCAG 2 defines it, 1 to 21; its level AA asks for 4.5.
fn contrast(a: Rgb, b: Rgb) -> f32 {
    let (a, b) = (a.luminance(), b.luminance());
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn letters_keep_their_contrast_and_halves_their_distance_for_ten_thousand_clubs() {
    for id in 0..10_000 {
        let kits = Kit::for_match(&club(id, ""), &club(id * 7_919 + 13, ""));
        for kit in &kits {
            let ratio = contrast(kit.ink, kit.base).min(contrast(kit.ink, kit.shade));
            assert!(ratio >= 4.5, "club {id}: {ratio} in {kit:?}");
            let tones = kit.base.distance(kit.shade);
            assert!(
                (MIN_SHADE..0.2).contains(&tones),
                "club {id}: {tones} in {kit:?}"
            );
        }
        let apart = kits[0].base.distance(kits[1].base);
        assert!(apart >= MIN_DISTANCE, "club {id}: {apart} between {kits:?}");
    }
}

#[test]
fn labels_read_like_a_scoreboard() {
    let cases = [
        (["Falkenbergs FF", "Kungsbacka IF"], ["FAL", "KUN"]),
        (["IFK Göteborg", "BK Häcken"], ["GÖT", "HÄC"]),
        (["Västra Frölunda IF", "S:t Eriks BK"], ["VF", "SE"]),
        (["GAIS", "AIK"], ["GAIS", "AIK"]),
        (["Åby IF 2", "Åby IF Dam U17"], ["ÅBY", "ÅBY"]),
        (["a\u{30a}by if", "O\u{308}rgryte IS"], ["ÅBY", "ÖRG"]),
        (["Kungsbacka IF", "Kungälvs IF"], ["KUS", "KUÄ"]),
        (["Kung", "Kungälvs IF"], ["KUN", "KUÄ"]),
        (["IFK Göteborg", "Göteborg FC"], ["GIFK", "GFC"]),
        (["Östra Torp", "Ödåkra-Tågarp"], ["ÖST", "ÖDÅ"]),
        (["U", "1906"], ["U", "1906"]),
        (["Спартак", "🦊"], ["", ""]),
        (["ФК Dynamo", "E\u{301}toile"], ["DYN", "ÉTO"]),
    ];
    for ([home, away], labels) in cases {
        assert_eq!(initials::pair(home, away), labels, "{home} - {away}");
    }
}

#[test]
fn the_font_has_every_letter_that_counts_as_drawable() {
    let empty = Sign::new("").expect("a shirt").path.bounds();
    for letter in ('\0'..=char::MAX).filter(|&letter| initials::drawable(letter)) {
        let bounds = Sign::new(&letter.to_string())
            .expect("a sign")
            .path
            .bounds();
        assert_ne!(bounds, empty, "{letter} has no outline");
    }
}

/// The height of a capital in pixels when the picture is shown 96 pixels wide.
fn capital_at_96(home: &str, away: &str) -> f32 {
    let signs = [home, away].map(|label| Sign::new(label).expect("a sign"));
    let places = place(&signs[0], &signs[1]);
    for ((sign, half), place) in signs.iter().zip([Half::Above, Half::Below]).zip(places) {
        assert!(
            sign.fits(half, place),
            "{home} - {away}: {place:?} is outside"
        );
    }
    places[0].scale.min(places[1].scale) * 100.0 * 96.0 / 512.0
}

#[test]
fn letters_are_large_enough_for_a_small_picture() {
    for (home, away, least) in [
        ("FAL", "KUN", 23.0),
        ("ÅÄÖ", "ÖÅÄ", 18.0),
        ("GIFK", "VF", 21.0),
        ("", "", 20.0),
    ] {
        let height = capital_at_96(home, away);
        assert!(height >= least, "{home} - {away}: {height} pixels");
    }
    assert!(capital_at_96("WWWW", "ŴŴŴŴ") >= 10.0);
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-ZÅÄÖa-zåäö0-9 \u{300}-\u{30f}ƒ/.-]{0,40}",
        "\\PC{0,200}"
    ]
}

proptest! {
    #[test]
    fn any_two_names_give_short_labels_that_fit(home in any_name(), away in any_name()) {
        let labels = initials::pair(&home, &away);
        for label in &labels {
            prop_assert!(label.chars().count() <= 4, "{label}");
            prop_assert!(label.chars().all(initials::drawable), "{label}");
        }
        prop_assert!(capital_at_96(&labels[0], &labels[1]) >= 9.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_two_clubs_are_drawn(home in any_name(), away in any_name(), ids in any::<[Option<i64>; 2]>()) {
        png(&Club { id: ids[0], name: home }, &Club { id: ids[1], name: away });
    }
}

#[test]
fn a_sign_is_as_large_as_the_font_says() {
    let about = |label: &str| {
        let bounds = Sign::new(label).expect("an outline").path.bounds();
        let (across, down, top) = (bounds.width(), bounds.height(), bounds.top());
        format!("{label} {across:.2} by {down:.2} from {top:.2}")
    };
    let told = ["H", "FFF", "ÅQ8"].map(about).join(", ");
    insta::assert_snapshot!(
        told,
        @"H 67.29 by 100.00 from -50.00, FFF 203.43 by 100.00 from -50.00, ÅQ8 227.00 by 155.86 from -92.71"
    );
}
