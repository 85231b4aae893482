// SPDX-License-Identifier: Apache-2.0
//! Data channels by the C API.

use std::ffi::{c_char, c_int, c_void, CString};
use std::sync::{Arc, Mutex};

use bench_kit::{Answer, Failure, Link, LoadChannel, Reliability, Service, LOW_WATER};
use datachannel_sys as sys;

pub fn check(what: &str, code: c_int) -> Result<c_int, Failure> {
    if code < 0 {
        return Err(format!("{what}: error {code}").into());
    }
    Ok(code)
}

/// A channel's number in the library.
struct Id(c_int);

impl Link for Id {
    fn send(&self, data: &[u8]) -> Result<(), Failure> {
        let size = c_int::try_from(data.len())?;
        // SAFETY: the library copies the bytes before it returns.
        check("sending", unsafe { sys::rtcSendMessage(self.0, data.as_ptr().cast(), size) }).map(drop)
    }

    fn send_text(&self, text: &str) -> Result<(), Failure> {
        let text = CString::new(text)?;
        // SAFETY: a size below zero says that the text ends with a zero byte, which it does.
        check("sending", unsafe { sys::rtcSendMessage(self.0, text.as_ptr(), -1) }).map(drop)
    }

    fn buffered(&self) -> usize {
        // SAFETY: takes any number.
        usize::try_from(unsafe { sys::rtcGetBufferedAmount(self.0) }).unwrap_or(0)
    }
}

enum Role {
    Load(Arc<LoadChannel>),
    Serve(Mutex<Service>),
}

/// A channel. The library's callbacks have its address and may still run after its deletion, so the
/// memory is never given back: the program is done soon after.
pub struct Channel {
    id: c_int,
    role: Role,
}

impl Channel {
    fn start(id: c_int, role: Role) {
        let channel: &'static Self = Box::leak(Box::new(Self { id, role }));
        let address: *const Self = channel;
        // SAFETY: the number is a channel's; the address holds for ever.
        unsafe {
            sys::rtcSetUserPointer(id, address.cast_mut().cast());
            if matches!(channel.role, Role::Load(_)) {
                sys::rtcSetBufferedAmountLowThreshold(id, LOW_WATER as c_int);
                sys::rtcSetBufferedAmountLowCallback(id, Some(on_low));
                sys::rtcSetOpenCallback(id, Some(on_open));
                sys::rtcSetClosedCallback(id, Some(on_closed));
            }
            sys::rtcSetMessageCallback(id, Some(on_message));
        }
    }

    /// A channel of the load, on connection `pc`.
    pub fn open(pc: c_int, label: &str, mode: Reliability, load: &Arc<LoadChannel>) -> Result<(), Failure> {
        let label = CString::new(label)?;
        // SAFETY: zeros are the defaults of this structure; the label is copied.
        let id = unsafe {
            let mut init: sys::rtcDataChannelInit = std::mem::zeroed();
            init.reliability.unordered = !mode.ordered;
            init.reliability.unreliable = !mode.reliable();
            init.reliability.maxRetransmits = mode.max_retransmits.unwrap_or(0).into();
            sys::rtcCreateDataChannelEx(pc, label.as_ptr(), &init)
        };
        Self::start(check("a channel", id)?, Role::Load(load.clone()));
        Ok(())
    }

    /// A channel that the other side has opened.
    pub fn serve(id: c_int) {
        let mut label = [0u8; 256];
        // SAFETY: the size is the buffer's.
        let size = unsafe { sys::rtcGetDataChannelLabel(id, label.as_mut_ptr().cast(), label.len() as c_int) };
        let size = usize::try_from(size - 1).unwrap_or(0); // A zero byte ends it.
        let label = String::from_utf8_lossy(&label[..size]).into_owned();
        Self::start(id, Role::Serve(Mutex::new(Service::new(&label))));
    }

    fn take(&self, text: bool, data: &[u8]) -> Result<(), Failure> {
        let link = Id(self.id);
        match &self.role {
            Role::Load(load) => {
                let mut message = Vec::new();
                for _ in 0..load.take(text, data) {
                    load.stamp(&mut message);
                    link.send(&message)?;
                }
                Ok(())
            }
            Role::Serve(service) => match service.lock().unwrap().take(text, data) {
                Answer::Nothing => Ok(()),
                Answer::Same if text => link.send_text(std::str::from_utf8(data)?),
                Answer::Same => link.send(data),
                Answer::Text(answer) => link.send_text(&answer),
            },
        }
    }
}

/// `pointer` is the address of a channel.
unsafe fn load_of(pointer: *mut c_void) -> Option<&'static Arc<LoadChannel>> {
    match &unsafe { &*pointer.cast::<Channel>() }.role {
        Role::Load(load) => Some(load),
        Role::Serve(_) => None,
    }
}

unsafe extern "C" fn on_open(id: c_int, pointer: *mut c_void) {
    if let Some(load) = unsafe { load_of(pointer) } {
        load.opened(Id(id));
    }
}

unsafe extern "C" fn on_closed(_: c_int, pointer: *mut c_void) {
    if let Some(load) = unsafe { load_of(pointer) } {
        load.closed();
    }
}

unsafe extern "C" fn on_low(_: c_int, pointer: *mut c_void) {
    if let Some(load) = unsafe { load_of(pointer) } {
        load.writable();
    }
}

unsafe extern "C" fn on_message(_: c_int, data: *const c_char, size: c_int, pointer: *mut c_void) {
    // A string has a size below zero, which counts its last, zero, byte.
    let text = size < 0;
    let length = if text { -(size + 1) } else { size };
    // SAFETY: so many bytes are there during the call.
    let data = match usize::try_from(length) {
        Ok(length) if length > 0 => unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) },
        _ => &[],
    };
    // What cannot be sent back shows as lost.
    let _ = unsafe { &*pointer.cast::<Channel>() }.take(text, data);
}
