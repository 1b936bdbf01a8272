// Reports as text for people: what several subcommands print alike.
#pragma once

#include <string>

#include "engine/engine.h"

namespace vitrine {

std::string cleaning_text(const CleaningReport& report);
// Models x metrics with intervals; the metrics of `columns`, or a readable choice when empty.
std::string evaluation_text(const EvaluationTable& table, const std::vector<std::string>& columns);
std::vector<std::string> default_columns(const EvaluationTable& table);  // that choice
std::vector<std::string> default_columns(const std::vector<MetricValue>& metrics);
// Steps x metrics, each with its difference from the full step.
std::string cascade_text(const CascadeTable& table, const std::vector<std::string>& columns);
std::string train_text(const TrainReport& report);
// Manifest::searches as a table; empty where every search is exact.
std::string searches_text(const Table& searches);
std::string checks_text(const std::vector<GateCheck>& checks);  // a table; empty without checks
std::string answer_text(const Answer& answer);
Value answer_json(const Answer& answer);

}  // namespace vitrine
