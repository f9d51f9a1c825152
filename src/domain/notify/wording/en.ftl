# English. The keys are those of sv.ftl; a test holds the two against each other.

weekday-1 = Monday
weekday-2 = Tuesday
weekday-3 = Wednesday
weekday-4 = Thursday
weekday-5 = Friday
weekday-6 = Saturday
weekday-7 = Sunday
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
day = { $weekday } { $day } { $month }
day-of-year = { $weekday } { $day } { $month } { $year }
day-short = { $day } { $month }
when = { $day } at { $time }
instant = { $day } { $month } { $year } at { $time }

unknown-team = unknown team
unknown = unknown
match-name = { $home } – { $away }
title = { $head }: { $match }
title-more = { $head } (+{ $more }): { $match }
change = { $label }: { $before } → { $now }
fact = { $label }: { $value }
same-name = { $label }: { same-value }
same-value = { $value } (its record changed)

head-new-assignment = New assignment
head-new-match = New match
head-removed = Match removed
head-changed = Match changed
head-cancelled = Cancelled
head-postponed = Postponed
head-interrupted = Interrupted
head-not-cancelled = No longer cancelled
head-not-postponed = No longer postponed
head-not-interrupted = No longer interrupted
head-date = New date
head-date-to = New date { $now }
head-time = New kick-off
head-time-to = New kick-off { $now }
head-date-and-time = New date { $date } at { $time }
head-venue = New pitch
head-venue-to = New pitch { $now }
head-no-date = Date unknown
head-no-time = Kick-off unknown
head-no-venue = Pitch unknown
head-no-competition = Competition unknown
head-referees = Referees changed
head-team = Team changed
head-competition = New competition
head-contact = New contact details

label-date = Date
label-time = Kick-off
label-venue = Pitch
label-home = Home team
label-away = Away team
label-competition = Competition
label-referees = Referees
label-contact = Contact details
label-status = Status
label-match = Match
label-when = When
label-where = Where
label-number = Match number
label-since = Since
label-until = Until
label-details = Details
status-cancelled = Cancelled
status-postponed = Postponed
status-interrupted = Interrupted
status-removed = Removed

line-new-assignment = The match is new and its referees are assigned.
line-assigned = The referees are assigned.
line-new-match = The match is new and has no referees yet.
line-new = The match is new.
line-removed = The match is no longer in the match list. It may be cancelled or moved; please check in Fogis.
line-changed = The details of the match changed.
line-cancelled = The match is cancelled.
line-postponed = The match is postponed.
line-interrupted = The match is interrupted.
line-not-cancelled = The match is no longer cancelled.
line-not-postponed = The match is no longer postponed.
line-not-interrupted = The match is no longer interrupted.
line-referee-new = New: { $name } ({ $role })
line-referee-gone = Withdrawn: { $name } ({ $role })
line-referees = The referees changed.
line-contact = Changed contact details: { $fields }

contact-personnamn = name
contact-namn = name
contact-telefon = telephone
contact-mobiltelefon = mobile telephone
contact-telefonarbete = telephone at work
contact-epostadress = e-mail address
contact-adress = address
contact-coadress = c/o address
contact-postnr = postcode
contact-postort = town
contact-land = country

priority-critical = Urgent
priority-high = Important
priority-medium = Change
priority-low = For information

digest-title = { $count ->
    [one] News of one match
   *[other] News of { $count } matches
}
more-matches = { $count ->
    [one] … and one more match.
   *[other] … and { $count } more matches.
}
link = Show the match
test-title = Test message
test-text = This is a test message. If you can read it, messages about changed matches arrive here.
footer = This message was sent automatically. What counts is always what Fogis says.

alert-list_unreachable = The match list cannot be fetched
alert-list_unreachable-text = Changes of matches are found only when the list can be fetched again.
alert-list_unreachable-over = The match list can be fetched again
alert-login_expired = The login to the match list has expired
alert-login_expired-text = Log in again in the service that fetches the match list. Until then no changes are found.
alert-login_expired-over = The login to the match list works again
alert-list_held = A match list waits to be confirmed
alert-list_held-text = The list lacks so many matches that it is probably wrong. It is used only when another fetch shows the same or somebody accepts it.
alert-list_held-over = No match list waits to be confirmed any more
alert-destination_down = { $subject ->
    [none] A destination takes no messages
   *[other] Messages to { $subject } do not arrive
}
alert-destination_down-text = The messages are kept and sent when the destination answers again.
alert-destination_down-over = { $subject ->
    [none] The destination takes messages again
   *[other] Messages to { $subject } arrive again
}
alert-dead_letters = { $count ->
    [0] Messages could not be delivered
    [one] One message could not be delivered
   *[other] { $count } messages could not be delivered
}
alert-dead_letters-text = The program has stopped trying. Mend the cause and retry them by hand.
alert-dead_letters-over = No messages that were given up are left
