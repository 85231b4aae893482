// SPDX-License-Identifier: Apache-2.0
//! Connections.

use std::future::Future;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use bench_kit::{Failure, LoadChannel, Reliability, Stack, MAX_MESSAGE};
use tokio::runtime::{Builder, Runtime};
use webrtc::api::setting_engine::{SctpMaxMessageSize, SettingEngine};
use webrtc::api::{APIBuilder, API};
use webrtc::data_channel::data_channel_init::RTCDataChannelInit;
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::ice::network_type::NetworkType;
use webrtc::ice::udp_mux::{UDPMuxDefault, UDPMuxParams};
use webrtc::ice::udp_network::UDPNetwork;
use webrtc::peer_connection::certificate::RTCCertificate;
use webrtc::peer_connection::configuration::RTCConfiguration;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;
use webrtc::peer_connection::RTCPeerConnection;

use crate::channel::{start_load, start_service};

const SOCKET_BYTES: libc::c_int = 4 << 20;
const GATHERING: Duration = Duration::from_secs(10);

pub struct Connection {
    inner: Arc<RTCPeerConnection>,
    runtime: tokio::runtime::Handle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let inner = self.inner.clone();
        self.runtime.spawn(async move { inner.close().await });
    }
}

pub struct WebrtcRs {
    runtime: Runtime,
    host: IpAddr,
    certificate: RTCCertificate,
}

/// A socket with large buffers: the library's bursts overflow the default of 208 KiB.
fn roomy_socket(host: IpAddr) -> Result<tokio::net::UdpSocket, Failure> {
    let socket = std::net::UdpSocket::bind((host, 0))?;
    socket.set_nonblocking(true)?;
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        let size = std::mem::size_of::<libc::c_int>() as libc::socklen_t;
        let value: *const libc::c_int = &SOCKET_BYTES;
        // SAFETY: the socket is open and the size is the value's.
        if unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value.cast(), size) } != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    Ok(tokio::net::UdpSocket::from_std(socket)?)
}

/// Makes a description the local one and returns it with all candidates.
async fn describe(connection: &RTCPeerConnection, local: RTCSessionDescription) -> Result<String, Failure> {
    let mut gathered = connection.gathering_complete_promise().await;
    connection.set_local_description(local).await?;
    let _ = tokio::time::timeout(GATHERING, gathered.recv()).await?;
    Ok(connection.local_description().await.ok_or("no local description")?.sdp)
}

async fn open(
    connection: &RTCPeerConnection,
    label: &str,
    mode: Reliability,
    channel: &Arc<LoadChannel>,
) -> Result<(), Failure> {
    let init = RTCDataChannelInit {
        ordered: Some(mode.ordered),
        max_retransmits: mode.max_retransmits,
        ..RTCDataChannelInit::default()
    };
    let opened = connection.create_data_channel(label, Some(init)).await?;
    start_load(&opened, channel.clone());
    Ok(())
}

/// Settings with a socket of their own: a multiplexer tells connections apart by the remote address alone.
fn new_api(host: IpAddr) -> Result<API, Failure> {
    let mut engine = SettingEngine::default();
    engine.set_include_loopback_candidate(true);
    engine.set_ip_filter(Box::new(move |ip| ip == host));
    engine.set_network_types(vec![NetworkType::Udp4]);
    engine.set_ice_multicast_dns_mode(MulticastDnsMode::Disabled);
    engine.set_sctp_max_message_size_can_send(SctpMaxMessageSize::Bounded(MAX_MESSAGE as u32));
    // Detached channels take messages above 65535 bytes, and copy less.
    engine.detach_data_channels();
    let socket = UDPMuxParams::new(roomy_socket(host)?);
    engine.set_udp_network(UDPNetwork::Muxed(UDPMuxDefault::new(socket)));
    Ok(APIBuilder::new().with_setting_engine(engine).build())
}

impl WebrtcRs {
    fn wait<T>(&self, event: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(event)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let configuration = RTCConfiguration { certificates: vec![self.certificate.clone()], ..Default::default() };
        let inner = Arc::new(new_api(self.host)?.new_peer_connection(configuration).await?);
        Ok(Connection { inner, runtime: self.runtime.handle().clone() })
    }
}

impl Stack for WebrtcRs {
    const NAME: &'static str = "webrtc-rs";
    const VERSION: &'static str = "0.17.2";
    type Connection = Connection;

    fn new(host: IpAddr) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let certificate = RTCCertificate::from_key_pair(rcgen::KeyPair::generate()?)?;
        Ok(Self { runtime, host, certificate })
    }

    fn offer(
        &self,
        label: &str,
        mode: Reliability,
        channels: &[Arc<LoadChannel>],
    ) -> Result<(Connection, String), Failure> {
        self.wait(async {
            let connection = self.connect().await?;
            for channel in channels {
                open(&connection.inner, label, mode, channel).await?;
            }
            let offer = connection.inner.create_offer(None).await?;
            let offer = describe(&connection.inner, offer).await?;
            Ok((connection, offer))
        })
    }

    fn accept(&self, connection: &Connection, answer: &str) -> Result<(), Failure> {
        let answer = RTCSessionDescription::answer(answer.to_string())?;
        self.wait(async { Ok(connection.inner.set_remote_description(answer).await?) })
    }

    fn open(
        &self,
        connection: &Connection,
        label: &str,
        mode: Reliability,
        channel: &Arc<LoadChannel>,
    ) -> Result<(), Failure> {
        self.wait(open(&connection.inner, label, mode, channel))
    }

    fn answer(&self, offer: &str) -> Result<(Connection, String), Failure> {
        let offer = RTCSessionDescription::offer(offer.to_string())?;
        self.wait(async {
            let connection = self.connect().await?;
            connection.inner.on_data_channel(Box::new(|channel| {
                start_service(&channel);
                Box::pin(async {})
            }));
            connection.inner.set_remote_description(offer).await?;
            let answer = connection.inner.create_answer(None).await?;
            let answer = describe(&connection.inner, answer).await?;
            Ok((connection, answer))
        })
    }
}
