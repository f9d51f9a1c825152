//! One connection of the corpus: what is sent, how, and which outcomes are right.

/// A listener of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    Public,
    Admin,
    Metrics,
}

impl Site {
    /// A request that is always served, and is the last of its connection.
    pub fn canary(self) -> Vec<u8> {
        let target = self.canary_target();
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .into_bytes()
    }

    /// The same with the connection kept.
    pub fn kept_canary(self) -> Vec<u8> {
        format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            self.canary_target()
        )
        .into_bytes()
    }

    fn canary_target(self) -> &'static str {
        match self {
            Self::Public | Self::Metrics => "/livez",
            Self::Admin => "/deliveries?limit=1&state=dead",
        }
    }

    /// The body of the answer to a canary.
    pub fn canary_body(self) -> &'static [u8] {
        match self {
            Self::Public | Self::Metrics => b"{\"status\":\"alive\"}",
            Self::Admin => b"{\"deliveries\":[],\"next\":null}",
        }
    }
}

/// What may follow the answer to the request in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing more, and the connection is closed.
    Closed,
    /// Exactly the answer to the canary behind it.
    Canary,
    /// Either of these.
    Either,
    /// What lies behind is no request: 400, then closed.
    Refused,
}

/// One right way for a connection to go; no status means closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: Option<u16>,
    pub then: Then,
}

/// Closed without an answer.
pub const SILENT: Outcome = Outcome {
    status: None,
    then: Then::Closed,
};

/// Answered, then closed whatever was sent behind it.
pub const fn refused(status: u16) -> Outcome {
    Outcome {
        status: Some(status),
        then: Then::Closed,
    }
}

/// Answered, and the connection goes on.
pub const fn served(status: u16) -> Outcome {
    Outcome {
        status: Some(status),
        then: Then::Canary,
    }
}

/// Answered; the server may go on or close.
pub const fn answered(status: u16) -> Outcome {
    Outcome {
        status: Some(status),
        then: Then::Either,
    }
}

/// How the client ends its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Says that nothing more comes, and listens.
    HalfClose,
    /// Closes without reading.
    Close,
    /// Resets the connection.
    Reset,
}

/// How the bytes go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// At once.
    Whole,
    /// In this many writes.
    Pieces(usize),
    /// One byte per write.
    Bytewise,
    /// Up to this byte, then the end.
    Cut(usize, End),
    /// Up to this byte at once, then one byte now and then for as long as the connection lives.
    Drip(usize),
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Case {
    pub class: &'static str,
    pub site: Site,
    /// Canaries that are sent, and must be answered, before the request.
    pub before: usize,
    /// The request in question, and whatever belongs to it.
    pub request: Vec<u8>,
    pub sending: Sending,
    pub right: Vec<Outcome>,
    /// Its answer has no body.
    pub is_head: bool,
    /// It is answered whether or not its body comes.
    pub ignores_body: bool,
    /// It waits for 100 before its body.
    pub continues: bool,
}

impl Case {
    /// A request to the public listener, sent as a whole, with one right outcome.
    pub fn new(class: &'static str, request: impl Into<Vec<u8>>, right: &[Outcome]) -> Self {
        Self {
            class,
            site: Site::Public,
            before: 0,
            request: request.into(),
            sending: Sending::Whole,
            right: right.to_vec(),
            is_head: false,
            ignores_body: false,
            continues: false,
        }
    }

    /// All bytes of the connection: canaries, request, canary.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = self.site.kept_canary().repeat(self.before);
        all.extend_from_slice(&self.request);
        if !matches!(self.sending, Sending::Cut(..) | Sending::Drip(_)) {
            all.extend_from_slice(&self.site.canary());
        }
        all
    }

    /// Where the request begins.
    pub fn offset(&self) -> usize {
        self.site.kept_canary().len() * self.before
    }

    /// Whether it is over only when a deadline of the daemon is.
    pub fn lingers(&self) -> bool {
        let waits = self.right.iter().any(|one| one.status == Some(408));
        matches!(self.sending, Sending::Drip(_))
            || (waits && !matches!(self.sending, Sending::Cut(..)))
    }

    /// Whether it stores a trigger when it is served.
    pub fn is_trigger(&self) -> bool {
        self.site == Site::Public && self.request.starts_with(b"POST /process")
    }

    /// The same, sent another way; a request that never ends may be given up as well.
    pub fn sent(mut self, sending: Sending) -> Self {
        self.sending = sending;
        let unfinished = matches!(sending, Sending::Drip(_))
            || matches!(sending, Sending::Cut(at, _) if at < self.offset() + self.request.len());
        if unfinished {
            let ignores = self.ignores_body;
            self.right
                .retain(|one| ignores || one.status.is_none_or(|code| code >= 400));
        }
        if matches!(sending, Sending::Cut(..) | Sending::Drip(_)) {
            for one in &mut self.right {
                one.then = Then::Closed;
            }
            self.right.extend([SILENT, refused(400), refused(408)]);
        }
        self
    }
}
