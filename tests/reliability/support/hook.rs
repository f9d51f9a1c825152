//! Webhooks that the daemon sends.

use std::net::SocketAddr;

/// `NOTIFICATIONS` that have a coordinator told of every change at once, by a webhook at `/hook`.
pub fn document(receiver: SocketAddr) -> String {
    format!(
        "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = 'http://{receiver}/hook'\n\
         allow_private = true\nsecret = 'whsec_aW52ZW50ZWQgc2VjcmV0IG9mIHRoaXMgdGVzdCE='\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['hook']\n"
    )
}
