use super::*;

fn club(id: i64, name: &str) -> Club {
    Club {
        id: Some(id),
        name: name.to_owned(),
    }
}

#[test]
fn sheet() {
    let pairs = [
        ("Falkenbergs FF", "Kungsbacka IF"),
        ("Sävedalens IF", "Örgryte IS"),
        ("Åby IF", "Västra Frölunda IF"),
        ("GAIS", "AIK"),
        ("IFK Göteborg", "Göteborg FC"),
        ("Kungsbacka IF", "Kungälvs IF"),
        ("Mölndals BK", "Warta IF"),
        ("Спартак", "🦊🦊"),
        ("Åäö", "Öåä"),
        ("Lunden Överås BK", "Hisings Backa FC"),
        ("BK Häcken", "Lindome GIF"),
        ("Torslanda IK", "Qviding FIF"),
    ];
    for (n, (home, away)) in pairs.iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        let start = std::time::Instant::now();
        let png = draw(&club(11000 + n * 2, home), &club(11001 + n * 2, away)).unwrap();
        println!("{} {:?}", png.len(), start.elapsed());
        std::fs::write(format!("/tmp/av/{n:02}.png"), png).unwrap();
    }
}
