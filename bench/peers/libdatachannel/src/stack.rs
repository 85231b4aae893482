// SPDX-License-Identifier: Apache-2.0
//! Connections by the C API.

use std::ffi::{c_int, c_void, CString};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bench_kit::{Failure, LoadChannel, Reliability, Stack, MAX_MESSAGE};
use datachannel_sys as sys;

use crate::channel::{check, Channel};

const GATHERING: Duration = Duration::from_secs(10);
const MAX_DESCRIPTION: usize = 65536;

/// What the callbacks of a connection change.
#[derive(Default)]
struct State {
    gathered: Mutex<bool>,
    changed: Condvar,
}

/// A connection. Callbacks have the address of its state, which is never given back: see `Channel`.
pub struct Connection {
    id: c_int,
    state: &'static State,
}

impl Connection {
    fn new(host: &CString) -> Result<Self, Failure> {
        // SAFETY: zeros are the defaults of this structure; the address is copied.
        let id = unsafe {
            let mut config: sys::rtcConfiguration = std::mem::zeroed();
            config.bindAddress = host.as_ptr();
            config.disableAutoNegotiation = true;
            config.maxMessageSize = MAX_MESSAGE as c_int;
            sys::rtcCreatePeerConnection(&config)
        };
        let connection = Self { id: check("a connection", id)?, state: Box::leak(Box::default()) };
        let address: *const State = connection.state;
        // SAFETY: the address holds for ever.
        unsafe {
            sys::rtcSetUserPointer(id, address.cast_mut().cast());
            sys::rtcSetGatheringStateChangeCallback(id, Some(on_gathering));
            sys::rtcSetDataChannelCallback(id, Some(on_channel));
        }
        Ok(connection)
    }

    fn open(&self, label: &str, mode: Reliability, channel: &Arc<LoadChannel>) -> Result<(), Failure> {
        Channel::open(self.id, label, mode, channel)
    }

    fn set_remote(&self, sdp: &str, kind: &str) -> Result<(), Failure> {
        let (sdp, kind) = (CString::new(sdp)?, CString::new(kind)?);
        // SAFETY: both texts end with a zero byte and are copied.
        check("the remote description", unsafe { sys::rtcSetRemoteDescription(self.id, sdp.as_ptr(), kind.as_ptr()) })
            .map(drop)
    }

    /// Makes the local description and returns it with all candidates.
    fn describe(&self, kind: &str) -> Result<String, Failure> {
        let kind = CString::new(kind)?;
        // SAFETY: the text ends with a zero byte and is copied.
        check("the local description", unsafe { sys::rtcSetLocalDescription(self.id, kind.as_ptr()) })?;
        let gathered = self.state.gathered.lock().unwrap();
        let (gathered, _) = self.state.changed.wait_timeout_while(gathered, GATHERING, |gathered| !*gathered).unwrap();
        if !*gathered {
            return Err("time-out: gathering".into());
        }
        let mut sdp = vec![0u8; MAX_DESCRIPTION];
        // SAFETY: the size is the buffer's.
        let size = unsafe { sys::rtcGetLocalDescription(self.id, sdp.as_mut_ptr().cast(), sdp.len() as c_int) };
        sdp.truncate(usize::try_from(check("the local description", size)? - 1)?); // A zero byte ends it.
        Ok(String::from_utf8(sdp)?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: takes any number.
        unsafe { sys::rtcDeletePeerConnection(self.id) };
    }
}

unsafe extern "C" fn on_gathering(_: c_int, state: sys::rtcGatheringState, pointer: *mut c_void) {
    if state == sys::rtcGatheringState_RTC_GATHERING_COMPLETE {
        // SAFETY: the address holds for ever.
        let connection = unsafe { &*pointer.cast::<State>() };
        *connection.gathered.lock().unwrap() = true;
        connection.changed.notify_all();
    }
}

unsafe extern "C" fn on_channel(_: c_int, channel: c_int, _: *mut c_void) {
    Channel::serve(channel);
}

pub struct LibDataChannel {
    host: CString,
}

impl Stack for LibDataChannel {
    const NAME: &'static str = "libdatachannel";
    const VERSION: &'static str = "0.23.2";
    type Connection = Connection;

    fn new(host: IpAddr) -> Result<Self, Failure> {
        // SAFETY: zeros are the library's own values; what is changed is a matter of numbers.
        unsafe {
            let mut settings: sys::rtcSctpSettings = std::mem::zeroed();
            settings.recvBufferSize = 8 << 20;
            settings.sendBufferSize = 8 << 20;
            sys::rtcSetSctpSettings(&settings);
            sys::rtcPreload();
        }
        Ok(Self { host: CString::new(host.to_string())? })
    }

    fn offer(
        &self,
        label: &str,
        mode: Reliability,
        channels: &[Arc<LoadChannel>],
    ) -> Result<(Connection, String), Failure> {
        let connection = Connection::new(&self.host)?;
        for channel in channels {
            connection.open(label, mode, channel)?;
        }
        // Who dials is the DTLS client. By itself libdatachannel makes the one that answers the client, which is
        // ready some milliseconds before the other; its first ClientHello is lost, and OpenSSL sends the next after 1 s.
        let offer = connection.describe("offer")?.replace("a=setup:actpass", "a=setup:active");
        Ok((connection, offer))
    }

    fn accept(&self, connection: &Connection, answer: &str) -> Result<(), Failure> {
        connection.set_remote(answer, "answer")
    }

    fn open(
        &self,
        connection: &Connection,
        label: &str,
        mode: Reliability,
        channel: &Arc<LoadChannel>,
    ) -> Result<(), Failure> {
        connection.open(label, mode, channel)
    }

    fn answer(&self, offer: &str) -> Result<(Connection, String), Failure> {
        let connection = Connection::new(&self.host)?;
        connection.set_remote(offer, "offer")?;
        let answer = connection.describe("answer")?;
        Ok((connection, answer))
    }
}
