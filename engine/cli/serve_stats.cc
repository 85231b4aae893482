// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/serve_stats.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/cli/engine_settings.h"
#include "engine/cli/process.h"
#include "engine/cli/version.h"

namespace millrace::cli {
namespace {

// A counter of ShardStats, under the name that JSON and Prometheus give it.
struct Counter {
  const char* name;
  const char* help;
  bool gauge;
  std::uint64_t ShardStats::*value;
  bool sums = true;  // Over shards; otherwise the largest stands for all.
};

constexpr Counter kCounters[] = {
    {"sessions", "Sessions owned", true, &ShardStats::sessions},
    {"channels", "Channels open", true, &ShardStats::channels},
    {"turns", "Turns of the loop", false, &ShardStats::turns},
    {"sessions_opened", "Sessions opened", false, &ShardStats::sessions_opened},
    {"sessions_closed", "Sessions closed", false, &ShardStats::sessions_closed},
    {"datagrams_received", "Datagrams received", false, &ShardStats::datagrams_received},
    {"datagrams_sent", "Datagrams sent", false, &ShardStats::datagrams_sent},
    {"bytes_received", "UDP payload received", false, &ShardStats::bytes_received},
    {"bytes_sent", "UDP payload sent", false, &ShardStats::bytes_sent},
    {"messages_received", "Messages received", false, &ShardStats::messages_received},
    {"messages_sent", "Messages sent", false, &ShardStats::messages_sent},
    {"datagrams_forwarded", "Datagrams handed to another shard", false,
     &ShardStats::datagrams_forwarded},
    {"payload_copied_in_order", "Bytes of traffic in order that were copied", false,
     &ShardStats::payload_copied_in_order},
    {"payload_copied_held", "Bytes copied to free a receive buffer", false,
     &ShardStats::payload_copied_held},
    {"records_per_seal_p50", "Records sealed in one call, median", true,
     &ShardStats::records_per_seal_p50, false},
    {"records_per_open_p50", "Records opened in one call, median", true,
     &ShardStats::records_per_open_p50, false},
    {"flights_in_turn", "Handshake flights done within a turn, without traffic", false,
     &ShardStats::flights_in_turn},
    {"data_chunks_sent", "DATA chunks sent, retransmissions included", false,
     &ShardStats::data_chunks_sent},
    {"data_chunks_received", "DATA chunks received", false, &ShardStats::data_chunks_received},
    {"retransmitted_chunks", "DATA chunks sent again", false, &ShardStats::retransmitted_chunks},
    {"fast_retransmits", "Fast recoveries begun", false, &ShardStats::fast_retransmits},
    {"t3_expiries", "Expiries of T3-rtx", false, &ShardStats::t3_expiries},
    {"association_restarts", "Associations that their peer began anew", false,
     &ShardStats::association_restarts},
};

double uptime(Time started, Time now) {
  return std::chrono::duration<double>(now - started).count();
}

// Names of close reasons as labels: "consent lost" becomes "consent_lost".
std::string label_of(CloseReason reason) {
  std::string label = millrace::to_string(reason);
  for (char& c : label) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) c = '_';
  }
  return label;
}

std::string escaped(const std::string& label) {
  std::string out;
  for (const char c : label) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void head(std::string& out, const std::string& name, const char* help, bool gauge) {
  out += "# HELP millrace_" + name + " " + help + ".\n# TYPE millrace_" + name +
         (gauge ? " gauge\n" : " counter\n");
}

template <class T>
void line(std::string& out, const std::string& name, const std::string& labels, T value) {
  out += "millrace_" + name + (labels.empty() ? "" : "{" + labels + "}") + " " +
         std::to_string(value) + "\n";
}

void add_device(std::string& out, const PacketDeviceStats& device) {
  head(out, "device_link_up", "Whether the device's link is up", true);
  line(out, "device_link_up", "", device.link_up ? 1 : 0);
  head(out, "device_buffers_free", "Buffers that neither a shard nor the device has", true);
  line(out, "device_buffers_free", "direction=\"rx\"", device.rx_buffers_free);
  line(out, "device_buffers_free", "direction=\"tx\"", device.tx_buffers_free);
  head(out, "device_handed_over_total", "Frames that came to another shard's queue", false);
  line(out, "device_handed_over_total", "", device.frames_handed_over);
  head(out, "device_drops_total", "Frames dropped between device and sockets, by reason", false);
  for (const auto& [name, value] : device.drops) {
    line(out, "device_drops_total", "reason=\"" + escaped(name) + "\"", value);
  }
  head(out, "device_counter_total", "What the device counts, by its driver's names", false);
  for (const auto& [name, value] : device.device) {
    line(out, "device_counter_total", "counter=\"" + escaped(name) + "\"", value);
  }
}

}  // namespace

std::string ServeStats::json(Time now) const {
  const EngineStats stats = engine_.stats();
  nlohmann::ordered_json out;
  out["version"] = kVersion;
  out["uptime_seconds"] = uptime(started_, now);
  out["io"] = to_string(engine_.io());
  out["udp"] = engine_.listen_address();
  const report::CpuTime cpu = process_cpu_time();
  out["cpu_seconds"] = cpu.used;
  out["cpu_waited_seconds"] = cpu.waited;
  out["sessions_pending"] = stats.sessions_pending;
  std::map<std::string, std::uint64_t> drops;
  for (const Counter& counter : kCounters) {
    std::uint64_t all = 0;
    for (const ShardStats& shard : stats.shards) {
      const std::uint64_t value = shard.*counter.value;
      all = counter.sums ? all + value : std::max(all, value);
    }
    out[counter.name] = all;
  }
  auto& shards = out["shards"] = nlohmann::ordered_json::array();
  for (const ShardStats& shard : stats.shards) {
    nlohmann::ordered_json each;
    for (const Counter& counter : kCounters) each[counter.name] = shard.*counter.value;
    for (const auto& [reason, count] : shard.drops) {
      each["drops"][reason] = count;
      drops[reason] += count;
    }
    shards.push_back(std::move(each));
  }
  out["drops"] = nlohmann::ordered_json::object();
  for (const auto& [reason, count] : drops) out["drops"][reason] = count;
  auto& closed = out["closed"] = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < ServeCounters::kReasons; ++i) {
    const std::uint64_t count = counters_.sessions_closed[i].load(std::memory_order_relaxed);
    if (count > 0) closed[millrace::to_string(static_cast<CloseReason>(i))] = count;
  }
  out["channels_closed_slow"] = counters_.channels_closed_slow.load(std::memory_order_relaxed);
  out["channels_closed_refused"] =
      counters_.channels_closed_refused.load(std::memory_order_relaxed);
  if (device_ != nullptr) {
    const PacketDeviceStats device = device_->stats();
    auto& told = out["device"];
    told["link_up"] = device.link_up;
    told["rx_buffers_free"] = device.rx_buffers_free;
    told["tx_buffers_free"] = device.tx_buffers_free;
    told["frames_handed_over"] = device.frames_handed_over;
    told["drops"] = nlohmann::ordered_json::object();
    for (const auto& [name, value] : device.drops) told["drops"][name] = value;
    told["counters"] = nlohmann::ordered_json::object();
    for (const auto& [name, value] : device.device) told["counters"][name] = value;
  }
  out["messages_dropped_slow"] = counters_.messages_dropped_slow.load(std::memory_order_relaxed);
  return out.dump(1) + "\n";
}

std::string ServeStats::prometheus(Time now) const {
  const EngineStats stats = engine_.stats();
  std::string out;
  head(out, "uptime_seconds", "Seconds since start", true);
  line(out, "uptime_seconds", "", uptime(started_, now));
  head(out, "cpu_seconds_total", "CPU seconds of the process", false);
  const report::CpuTime cpu = process_cpu_time();
  line(out, "cpu_seconds_total", "", cpu.used);
  head(out, "cpu_waited_seconds_total",
       "Seconds in which threads were ready to run and something else had the processor", false);
  line(out, "cpu_waited_seconds_total", "", cpu.waited);
  head(out, "sessions_pending", "Sessions signalled and not yet claimed", true);
  line(out, "sessions_pending", "", stats.sessions_pending);
  for (const Counter& counter : kCounters) {
    const std::string name = std::string(counter.name) + (counter.gauge ? "" : "_total");
    head(out, name, counter.help, counter.gauge);
    for (std::size_t i = 0; i < stats.shards.size(); ++i) {
      line(out, name, "shard=\"" + std::to_string(i) + "\"", stats.shards[i].*counter.value);
    }
  }
  head(out, "drops_total", "Datagrams, records and chunks dropped, by reason", false);
  for (std::size_t i = 0; i < stats.shards.size(); ++i) {
    for (const auto& [reason, count] : stats.shards[i].drops) {
      line(out, "drops_total",
           "shard=\"" + std::to_string(i) + "\",reason=\"" + escaped(reason) + "\"", count);
    }
  }
  if (device_ != nullptr) add_device(out, device_->stats());
  head(out, "sessions_ended_total", "Sessions ended, by reason", false);
  for (std::size_t i = 0; i < ServeCounters::kReasons; ++i) {
    line(out, "sessions_ended_total", "reason=\"" + label_of(static_cast<CloseReason>(i)) + "\"",
         counters_.sessions_closed[i].load(std::memory_order_relaxed));
  }
  head(out, "channels_closed_slow_total", "Reliable channels closed for a full backlog", false);
  line(out, "channels_closed_slow_total", "",
       counters_.channels_closed_slow.load(std::memory_order_relaxed));
  head(out, "messages_dropped_slow_total", "Messages dropped for a full backlog", false);
  line(out, "messages_dropped_slow_total", "",
       counters_.messages_dropped_slow.load(std::memory_order_relaxed));
  return out;
}

}  // namespace millrace::cli
