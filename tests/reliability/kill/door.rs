//! A listener that can be gone for a while, without anybody else getting its port meanwhile.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};

use crate::support::Result;

/// Connections that may wait.
const BACKLOG: i32 = 1024;

type Each = Arc<dyn Fn(TcpStream) + Send + Sync>;

pub struct Door {
    pub address: SocketAddr,
    /// Has the address and does not listen: who connects is refused.
    _place: Socket,
    each: Each,
    open: Mutex<Option<Open>>,
}

struct Open {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Door {
    /// Open; `each` gets the connections in their order.
    pub fn new(each: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<Self> {
        let place = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = place.local_addr()?.as_socket();
        let address = address.ok_or_else(|| anyhow::anyhow!("a port without an address"))?;
        let door = Self {
            address,
            _place: place,
            each: Arc::new(each),
            open: Mutex::default(),
        };
        door.open()?;
        Ok(door)
    }

    /// Takes connections, if it did not.
    pub fn open(&self) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_some() {
            return Ok(());
        }
        let socket = bound(self.address)?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let closing = Arc::new(AtomicBool::new(false));
        let (theirs, each) = (Arc::clone(&closing), Arc::clone(&self.each));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if theirs.load(Ordering::SeqCst) {
                    return;
                }
                each(stream);
            }
        });
        *open = Some(Open { closing, thread });
        Ok(())
    }

    /// Takes none from now on.
    pub fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Open { closing, thread }) = open.take() {
            closing.store(true, Ordering::SeqCst);
            // So that it looks.
            let _ = TcpStream::connect(self.address);
            let _ = thread.join();
        }
    }
}

fn bound(address: SocketAddr) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
