# Swedish. The keys are those of en.ftl; a test holds the two against each other.

weekday-1 = måndag
weekday-2 = tisdag
weekday-3 = onsdag
weekday-4 = torsdag
weekday-5 = fredag
weekday-6 = lördag
weekday-7 = söndag
month-1 = januari
month-2 = februari
month-3 = mars
month-4 = april
month-5 = maj
month-6 = juni
month-7 = juli
month-8 = augusti
month-9 = september
month-10 = oktober
month-11 = november
month-12 = december
day = { $weekday } { $day } { $month }
day-of-year = { $weekday } { $day } { $month } { $year }
day-short = { $day } { $month }
when = { $day } kl. { $time }
instant = { $day } { $month } { $year } kl. { $time }

unknown-team = okänt lag
unknown = okänt
match-name = { $home } – { $away }
title = { $head }: { $match }
title-more = { $head } (+{ $more }): { $match }
change = { $label }: { $before } → { $now }
fact = { $label }: { $value }
same-name = { $label }: { same-value }
same-value = { $value } (uppgiften är ändrad)

head-new-assignment = Nytt uppdrag
head-new-match = Ny match
head-removed = Borttagen match
head-changed = Ändrad match
head-cancelled = Inställd
head-postponed = Uppskjuten
head-interrupted = Avbruten
head-not-cancelled = Inte längre inställd
head-not-postponed = Inte längre uppskjuten
head-not-interrupted = Inte längre avbruten
head-date = Ny matchdag
head-date-to = Ny matchdag { $now }
head-time = Ny avspark
head-time-to = Ny avspark { $now }
head-date-and-time = Ny matchdag { $date } kl. { $time }
head-venue = Ny plan
head-venue-to = Ny plan { $now }
head-no-date = Matchdag okänd
head-no-time = Avspark okänd
head-no-venue = Plan okänd
head-no-competition = Tävling okänd
head-referees = Ändrade domare
head-team = Ändrat lag
head-competition = Ny tävling
head-contact = Nya kontaktuppgifter

label-date = Matchdag
label-time = Avspark
label-venue = Plan
label-home = Hemmalag
label-away = Bortalag
label-competition = Tävling
label-referees = Domare
label-contact = Kontaktuppgifter
label-status = Status
label-match = Match
label-when = När
label-where = Var
label-number = Matchnummer
label-since = Sedan
label-until = Till
label-details = Detaljer
status-cancelled = Inställd
status-postponed = Uppskjuten
status-interrupted = Avbruten
status-removed = Borttagen

line-new-assignment = Matchen är ny och domarna är tillsatta.
line-assigned = Domarna är tillsatta.
line-new-match = Matchen är ny och har inga domare än.
line-new = Matchen är ny.
line-removed = Matchen finns inte längre i matchlistan. Den kan vara inställd eller flyttad; kontrollera i Fogis.
line-changed = Uppgifterna om matchen är ändrade.
line-cancelled = Matchen är inställd.
line-postponed = Matchen är uppskjuten.
line-interrupted = Matchen är avbruten.
line-not-cancelled = Matchen är inte längre inställd.
line-not-postponed = Matchen är inte längre uppskjuten.
line-not-interrupted = Matchen är inte längre avbruten.
line-referee-new = Ny: { $name } ({ $role })
line-referee-gone = Utgår: { $name } ({ $role })
line-referees = Domarna är ändrade.
line-contact = Ändrade kontaktuppgifter: { $fields }

contact-personnamn = namn
contact-namn = namn
contact-telefon = telefon
contact-mobiltelefon = mobiltelefon
contact-telefonarbete = telefon till arbetet
contact-epostadress = e-postadress
contact-adress = adress
contact-coadress = c/o-adress
contact-postnr = postnummer
contact-postort = postort
contact-land = land

priority-critical = Brådskande
priority-high = Viktigt
priority-medium = Ändring
priority-low = För kännedom

digest-title = { $count ->
    [one] Nyheter om en match
   *[other] Nyheter om { $count } matcher
}
more-matches = { $count ->
    [one] … och en match till.
   *[other] … och { $count } matcher till.
}
link = Visa matchen
test-title = Provmeddelande
test-text = Det här är ett provmeddelande. Om du kan läsa det kommer meddelanden om ändrade matcher fram hit.
footer = Meddelandet är skickat automatiskt. Det som gäller är alltid det som står i Fogis.

alert-list_unreachable = Matchlistan går inte att hämta
alert-list_unreachable-text = Ändringar av matcher upptäcks först när listan går att hämta igen.
alert-list_unreachable-over = Matchlistan går att hämta igen
alert-login_expired = Inloggningen till matchlistan har gått ut
alert-login_expired-text = Logga in på nytt i tjänsten som hämtar matchlistan. Tills dess upptäcks inga ändringar.
alert-login_expired-over = Inloggningen till matchlistan fungerar igen
alert-list_held = En matchlista väntar på bekräftelse
alert-list_held-text = Listan saknar så många matcher att den troligen är fel. Den används först när en ny hämtning visar samma sak eller någon godkänner den.
alert-list_held-over = Ingen matchlista väntar längre på bekräftelse
alert-destination_down = { $subject ->
    [none] En mottagare tar inte emot meddelanden
   *[other] Meddelanden till { $subject } kommer inte fram
}
alert-destination_down-text = Meddelandena sparas och skickas när mottagaren svarar igen.
alert-destination_down-over = { $subject ->
    [none] Mottagaren tar emot meddelanden igen
   *[other] Meddelanden till { $subject } kommer fram igen
}
alert-dead_letters = { $count ->
    [0] Meddelanden kunde inte levereras
    [one] Ett meddelande kunde inte levereras
   *[other] { $count } meddelanden kunde inte levereras
}
alert-dead_letters-text = Programmet har slutat försöka. Rätta felet och försök igen för hand.
alert-dead_letters-over = Inga meddelanden som gavs upp är kvar
