#include "bench/datasets.h"

#include <cstdlib>
#include <numeric>

namespace vitrine {
namespace {

Result<EventTable> read_table(const Run& run, SourceOptions source, Vocabulary& vocabulary) {
  source.path = data_folder() + "/" + source.path;
  EventTable table;
  std::uint64_t sequence = 0;
  ImportSink sink;
  sink.events = [&](std::span<const Event> events) -> Status {
    for (const Event& event : events) table.add(event, ++sequence, vocabulary);
    return {};
  };
  VT_TRY(import_source(run, real_files(), source, EventTypes(), true, sink));
  return table;
}

CleanView everything(const EventTable& table) {
  CleanView view;
  view.rows.resize(table.size());
  std::iota(view.rows.begin(), view.rows.end(), 0u);
  view.quantity = table.quantity;
  return view;
}

}  // namespace

std::string data_folder() {
  const char* folder = std::getenv("VITRINE_DATA");
  return folder != nullptr ? folder : VITRINE_SOURCE_DIR "/../shared/data";
}

Result<std::vector<Histories>> read_histories(const Run& run,
                                              std::span<const SourceOptions> sources) {
  Vocabulary vocabulary;
  std::vector<EventTable> tables;
  for (const SourceOptions& source : sources) {
    VT_TRY(EventTable table, read_table(run, source, vocabulary));
    tables.push_back(std::move(table));
  }
  std::vector<Histories> histories;
  for (const EventTable& table : tables) {
    VT_TRY(Histories built,
           build_histories(run, table, everything(table), vocabulary, EventTypes(), {}));
    histories.push_back(std::move(built));
  }
  return histories;
}

Result<Histories> read_ml1m(const Run& run) {
  SourceOptions source;
  source.path = "ml-1m/events.csv.gz";
  source.user = "user_id";
  source.item = "item_id";
  source.type = "event";
  source.value = "value";
  VT_TRY(auto histories, read_histories(run, {&source, 1}));
  return std::move(histories.front());
}

}  // namespace vitrine
