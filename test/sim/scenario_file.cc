// SPDX-License-Identifier: Apache-2.0
#include "test/sim/scenario_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "engine/base/text_file.h"

namespace millrace::sim {
namespace {

constexpr std::size_t kMaxFlows = 256;
constexpr std::size_t kMostMtuBytes = 9216;
// What a host's own interface carries, whatever the path does.
constexpr std::size_t kInterfaceMtuBytes = 1500;

template <class T>
struct Choice {
  std::string_view name;
  T value;
};
// As the engine's own settings name them.
constexpr Choice<sctp::Profile> kProfiles[] = {
    {"internet", sctp::Profile::kInternet},
    {"latency", sctp::Profile::kLatency},
};
constexpr Choice<sctp::StreamScheduling> kSchedulers[] = {
    {"fcfs", sctp::StreamScheduling::kFirstComeFirstServed},
    {"rr", sctp::StreamScheduling::kRoundRobin},
    {"wfq", sctp::StreamScheduling::kWeightedFair},
    {"priority", sctp::StreamScheduling::kStrictPriority},
};

// The value as text, numbers included; nothing for what is neither.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* const text = node.as_string()) return text->get();
  if (const auto* const whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* const real = node.as_floating_point()) {
    // to_string would round a share of a millionth to nothing.
    std::array<char, 40> digits;
    std::snprintf(digits.data(), digits.size(), "%.17g", real->get());
    return digits.data();
  }
  return std::nullopt;
}

// Reader takes the keys of one table, remembers which it has taken and keeps the first fault.
class Reader {
 public:
  Reader(const toml::table& table, const std::string& path, std::string& error)
      : table_(table), path_(path), error_(error) {}

  // Whatever was not asked for is a mistake.
  ~Reader() {
    for (const auto& [key, node] : table_) {
      if (known_.contains(std::string(key.str()))) continue;
      std::string all;
      for (const std::string& name : known_) all += (all.empty() ? "" : ", ") + name;
      fail(node.source(), "unknown key '" + std::string(key.str()) + "', expected one of " + all);
    }
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <class T, class Parse>
  void take(std::string_view key, const char* expected, Parse parse, T& target) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    const std::optional<std::string> text = text_of(*node);
    const auto value = text ? parse(std::string_view(*text)) : std::nullopt;
    if (!value) {
      return fail(node->source(), "bad value '" + text.value_or("a table or list") + "' of '" +
                                      std::string(key) + "', expected " + expected);
    }
    target = static_cast<T>(*value);
  }
  template <class T>
  void duration(std::string_view key, T& target) {
    take(key, "a time with its unit, as \"20ms\"", parse_duration, target);
  }
  template <class T>
  void share(std::string_view key, T& target) {
    take(key, "a share from 0 to 1, or from \"0%\" to \"100%\"", parse_share, target);
  }
  template <class T>
  void rate(std::string_view key, T& target) {
    take(key, "a rate with its unit, as \"100Mbit\"", parse_rate, target);
  }
  template <class T>
  void bytes(std::string_view key, double min, double max, T& target) {
    const std::string expected = "bytes from " + std::to_string(static_cast<long long>(min)) +
                                 " to " + std::to_string(static_cast<long long>(max));
    const auto parse = [min, max](std::string_view text) {
      const std::optional<double> value = parse_bytes(text);
      return value && *value >= min && *value <= max ? value : std::nullopt;
    };
    take(key, expected.c_str(), parse, target);
  }
  template <class T>
  void number(std::string_view key, double min, double max, T& target) {
    const std::string expected = "a number from " + std::to_string(static_cast<long long>(min)) +
                                 " to " + std::to_string(static_cast<long long>(max));
    const auto parse = [min, max](std::string_view text) {
      const std::optional<double> value = parse_bytes(text);
      return value && *value >= min && *value <= max ? value : std::nullopt;
    };
    take(key, expected.c_str(), parse, target);
  }
  void flag(std::string_view key, bool& target) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    const auto* const truth = node->as_boolean();
    if (truth == nullptr) {
      return fail(node->source(),
                  "bad value of '" + std::string(key) + "', expected true or false");
    }
    target = truth->get();
  }
  void text(std::string_view key, std::string& target) {
    take(
        key, "a text", [](std::string_view text) { return std::optional<std::string>(text); },
        target);
  }
  void controller(std::string_view key, sctp::CongestionAlgorithm& target) {
    std::string names;
    for (const sctp::CongestionAlgorithmName& each : sctp::kCongestionAlgorithms) {
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    take(key, ("one of " + names).c_str(), sctp::parse_congestion_algorithm, target);
  }
  template <class Value, std::size_t kCount, class T>
  void choice(std::string_view key, const Choice<Value> (&choices)[kCount], T& target) {
    std::string names;
    for (const Choice<Value>& each : choices) {
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    const auto parse = [&choices](std::string_view text) {
      const auto* const found = std::ranges::find(choices, text, &Choice<Value>::name);
      return found == std::end(choices) ? std::nullopt : std::optional(found->value);
    };
    take(key, ("one of " + names).c_str(), parse, target);
  }
  const toml::table* table(std::string_view key) {
    const toml::node* const node = find(key);
    if (node != nullptr && !node->is_table())
      fail(node->source(), "'" + std::string(key) + "' is no table");
    return node == nullptr ? nullptr : node->as_table();
  }
  std::vector<const toml::table*> tables(std::string_view key) {
    std::vector<const toml::table*> all;
    const toml::node* const node = find(key);
    if (node == nullptr) return all;
    const auto* const array = node->as_array();
    if (array != nullptr) {
      for (const toml::node& item : *array) {
        if (item.is_table()) all.push_back(item.as_table());
      }
    }
    if (array == nullptr || all.size() != array->size()) {
      fail(node->source(), "'" + std::string(key) + "' is no list of tables, as [[" +
                               std::string(key) + "]] makes one");
    }
    return all;
  }
  bool has(std::string_view key) { return find(key) != nullptr; }
  void fail(const toml::source_region& where, const std::string& what) {
    if (!error_.empty()) return;
    const std::string& path = where.path ? *where.path : path_;
    error_ = path + ":" + std::to_string(where.begin.line) + ": " + what;
  }
  const toml::table& whole() const { return table_; }

 private:
  const toml::node* find(std::string_view key) {
    known_.emplace(key);
    return table_.get(key);
  }

  const toml::table& table_;
  const std::string& path_;
  std::string& error_;
  std::set<std::string> known_;
};

// File turns the tables of one file into a Scenario.
class File {
 public:
  explicit File(const std::string& path) : path_(path) {}

  ScenarioResult read(const toml::table& root) {
    read_root(root);
    result_.error = error_;
    return std::move(result_);
  }

 private:
  void read_root(const toml::table& root) {
    Reader reader(root, path_, error_);
    Scenario& scenario = result_.scenario;
    reader.text("name", scenario.name);
    reader.duration("duration", scenario.length);
    reader.duration("measure_from", scenario.measure_from);
    reader.duration("turn", scenario.turn);
    reader.duration("sample_every", scenario.sample_every);
    reader.bytes("socket", 0, 1e9, scenario.socket_bytes);
    read_path(reader);
    if (const toml::table* const bounds = reader.table("bounds")) read_bounds(*bounds);
    for (const toml::table* const table : reader.tables("outage")) read_outage(*table);
    for (const toml::table* const table : reader.tables("change")) read_change(*table);
    read_flows(reader);
    check(reader);
  }

  void read_link(Reader& reader, LinkOptions& link, const Scenario& scenario) {
    reader.rate("rate", link.bits_per_second);
    reader.share("loss", link.loss);
    reader.share("reorder", link.reorder);
    reader.duration("reorder_by", link.reorder_by);
    reader.share("duplicate", link.duplicate);
    reader.share("corrupt", link.corrupt);
    reader.bytes("mtu", 576, kMostMtuBytes, link.mtu_bytes);
    const Duration rtt = scenario.base_rtt();
    const auto queue = [&link, rtt](std::string_view text) -> std::optional<double> {
      if (text.ends_with("bdp")) {
        const std::optional<double> times = parse_bytes(text.substr(0, text.size() - 3));
        if (!times || *times <= 0 || *times > 1000) return std::nullopt;
        return std::max(2.0 * static_cast<double>(link.mtu_bytes),
                        *times * static_cast<double>(one_bdp(link, rtt)));
      }
      if (const auto time = parse_duration(text)) {
        return std::chrono::duration<double>(*time).count() * link.bits_per_second / 8;
      }
      return parse_bytes(text);
    };
    reader.take("queue", "bytes, a time at the rate as \"1s\", or BDPs as \"1bdp\"", queue,
                link.queue_bytes);
  }

  void read_path(Reader& reader) {
    Scenario& scenario = result_.scenario;
    Duration rtt = scenario.base_rtt();
    reader.duration("rtt", rtt);
    scenario.up.delay = rtt / 2;
    scenario.down.delay = rtt - rtt / 2;
    read_link(reader, scenario.up, scenario);
    const Duration back = scenario.down.delay;
    scenario.down = scenario.up;
    scenario.down.delay = back;
    if (const toml::table* const down = reader.table("down")) {
      Reader overrides(*down, path_, error_);
      read_link(overrides, scenario.down, scenario);
    }
  }

  void read_outage(const toml::table& table) {
    Reader reader(table, path_, error_);
    Outage outage;
    reader.duration("from", outage.from);
    reader.duration("length", outage.length);
    auto& outages = result_.scenario.outages;
    if (!outages.empty() && outage.from < outages.back().from + outages.back().length) {
      reader.fail(table.source(), "an outage begins before the one above has ended");
    }
    outages.push_back(outage);
  }

  void read_change(const toml::table& table) {
    Reader reader(table, path_, error_);
    Change change;
    reader.duration("at", change.at);
    reader.rate("rate", change.bits_per_second);
    reader.bytes("mtu", 576, kMostMtuBytes, change.mtu_bytes);
    auto& changes = result_.scenario.changes;
    if (!changes.empty() && change.at < changes.back().at) {
      reader.fail(table.source(), "changes are not in order of time");
    }
    changes.push_back(change);
  }

  void read_bounds(const toml::table& table) {
    Reader reader(table, path_, error_);
    Bounds& bounds = result_.scenario.bounds;
    reader.share("min_share", bounds.min_share);
    reader.number("min_mbps", 0, 1e6, bounds.min_mbps);
    reader.number("min_of_mathis", 0, 1000, bounds.min_of_mathis);
    reader.number("max_of_mathis", 0, 1000, bounds.max_of_mathis);
    reader.number("min_of_response", 0, 1000, bounds.min_of_response);
    reader.share("min_of_clean", bounds.min_of_clean);
    reader.share("min_fairness", bounds.min_fairness);
    reader.number("max_rtt_p95", 1, 1000, bounds.max_rtt_p95);
    reader.share("max_retransmitted", bounds.max_retransmitted);
    reader.duration("max_recovery", bounds.max_recovery);
    reader.number("max_socket_drops", 0, 1e9, bounds.max_socket_drops);
  }

  void read_association(Reader& reader, sctp::Options& options) {
    reader.controller("controller", options.congestion);
    const auto bytes_per_second = [](std::string_view text) -> std::optional<double> {
      const std::optional<double> rate = parse_rate(text);
      return rate && *rate >= 8 ? std::optional(*rate / 8) : std::nullopt;
    };
    reader.take("fixed_rate", "a rate with its unit, as \"100Mbit\"", bytes_per_second,
                options.congestion_rate);
    reader.choice("scheduler", kSchedulers, options.scheduling);
    reader.bytes("receive_window", 1500, 1 << 30, options.receive_window_bytes);
    reader.bytes("max_receive_window", 0, 1 << 30, options.max_receive_window_bytes);
    reader.bytes("send_buffer", 1500, 1 << 30, options.send_buffer_bytes);
    reader.bytes("max_packet", 500, kMostMtuBytes - kWireOverheadBytes, options.max_packet_bytes);
    std::optional<sctp::Profile> profile;
    reader.choice("profile", kProfiles, profile);
    // First, for the timers that stand beside it take precedence.
    if (profile) sctp::apply_profile(*profile, options);
    reader.duration("rto_initial", options.rto_initial);
    reader.duration("rto_min", options.rto_min);
    reader.duration("rto_max", options.rto_max);
    reader.duration("sack_delay", options.sack_delay);
    reader.flag("zero_checksum", options.extensions.zero_checksum);
    reader.flag("i_data", options.extensions.i_data);
    reader.flag("path_mtu_discovery", options.path_mtu.enabled);
  }

  TrafficOptions read_traffic(const toml::table& table) {
    Reader reader(table, path_, error_);
    TrafficOptions traffic;
    reader.bytes("message", 16, 1 << 30, traffic.message_bytes);
    reader.number("per_second", 0, 1e6, traffic.messages_per_second);
    reader.number("count", 1, 1e12, traffic.count);
    reader.duration("start", traffic.start);
    reader.number("stream", 0, 65534, traffic.stream);
    reader.number("priority", 1, 65535, traffic.priority);
    reader.flag("unordered", traffic.unordered);
    reader.number("max_retransmits", 0, 1e9, traffic.max_retransmits);
    reader.duration("max_lifetime", traffic.max_lifetime);
    reader.flag("from_server", traffic.from_server);
    reader.duration("max_p50", traffic.max_p50);
    reader.duration("max_p99", traffic.max_p99);
    reader.duration("max_latency", traffic.max_latency);
    return traffic;
  }

  std::vector<TrafficOptions> read_traffics(Reader& reader, std::vector<TrafficOptions> fallback) {
    const std::vector<const toml::table*> tables = reader.tables("traffic");
    if (tables.empty()) return fallback;
    std::vector<TrafficOptions> all;
    all.reserve(tables.size());
    for (const toml::table* const table : tables) all.push_back(read_traffic(*table));
    return all;
  }

  // Keys of the top level are what each flow begins with.
  void read_flows(Reader& reader) {
    FlowOptions common;
    sctp::PathMtuOptions& path_mtu = common.association.path_mtu;
    path_mtu.enabled = true;
    path_mtu.max_packet_bytes =
        std::max(kInterfaceMtuBytes, result_.scenario.largest_mtu()) - kWireOverheadBytes;
    read_association(reader, common.association);
    common.traffic = read_traffics(reader, {TrafficOptions{}});
    std::size_t flows = 1;
    reader.number("flows", 1, kMaxFlows, flows);
    const std::vector<const toml::table*> tables = reader.tables("flow");
    if (tables.empty()) result_.scenario.flows.assign(flows, common);
    for (const toml::table* const table : tables) {
      Reader own(*table, path_, error_);
      FlowOptions flow = common;
      read_association(own, flow.association);
      own.duration("start", flow.start);
      own.duration("extra_delay", flow.extra_delay);
      if (const toml::table* const pause = own.table("not_reading")) {
        Reader times(*pause, path_, error_);
        times.duration("from", flow.not_reading.from);
        times.duration("length", flow.not_reading.length);
      }
      flow.traffic = read_traffics(own, common.traffic);
      std::size_t repeat = 1;
      own.number("repeat", 1, kMaxFlows, repeat);
      result_.scenario.flows.insert(result_.scenario.flows.end(), repeat, flow);
    }
    for (FlowOptions& flow : result_.scenario.flows) {
      for (const TrafficOptions& traffic : flow.traffic) {
        auto& most = flow.association.max_message_bytes;
        most = std::max(most, traffic.message_bytes);
      }
    }
  }

  void check(Reader& reader) {
    const Scenario& scenario = result_.scenario;
    const toml::source_region& here = reader.whole().source();
    if (scenario.flows.size() > kMaxFlows) reader.fail(here, "more than 256 flows");
    if (scenario.length <= Duration::zero()) reader.fail(here, "'duration' is zero");
    if (scenario.measure_from >= scenario.length) {
      reader.fail(here, "'measure_from' is not before the end");
    }
    const bool relative = scenario.bounds.min_share.has_value();
    if (relative && scenario.up.bits_per_second <= 0) {
      reader.fail(here, "'bounds.min_share' is a share of 'rate', which is not given");
    }
    for (const Change& change : scenario.changes) {
      if (change.bits_per_second && *change.bits_per_second <= 0) {
        reader.fail(here, "'change.rate' is zero; an [[outage]] stops everything");
      }
      if (change.bits_per_second && scenario.up.bits_per_second <= 0) {
        reader.fail(here, "'change.rate' changes 'rate', which is not given");
      }
    }
  }

  const std::string& path_;
  std::string error_;
  ScenarioResult result_;
};

void merge(toml::table& into, toml::table&& from) {
  for (auto&& [key, node] : from) {
    toml::node* const old = into.get(key.str());
    if (old != nullptr && old->is_table() && node.is_table()) {
      merge(*old->as_table(), std::move(*node.as_table()));
    } else {
      into.insert_or_assign(key.str(), std::move(node));
    }
  }
}

constexpr std::string_view kSetSource = "--set";

// `rate=1Gbit` needs no quotation marks on a command line.
toml::table table_of(const Override& override_) {
  const auto& [key, value] = override_;
  try {
    return toml::parse(key + " = " + value, kSetSource);
  } catch (const toml::parse_error&) {
    return toml::parse(key + " = \"" + value + "\"", kSetSource);
  }
}

}  // namespace

ScenarioResult parse_scenario(std::string_view text, const std::string& path,
                              const std::vector<Override>& overrides) {
  toml::table table;
  try {
    table = toml::parse(text, path);
    for (const Override& each : overrides) merge(table, table_of(each));
  } catch (const toml::parse_error& error) {
    return {{},
            path + ":" + std::to_string(error.source().begin.line) + ": " +
                std::string(error.description())};
  }
  return File(path).read(table);
}

ScenarioResult load_scenario(const std::string& path, const std::vector<Override>& overrides) {
  const auto text = read_text_file(path);
  if (!text.ok()) return {{}, "scenario: " + text.error()};
  return parse_scenario(text.value(), path, overrides);
}

}  // namespace millrace::sim
