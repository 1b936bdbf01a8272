// The engine over real customers: the first weeks of the demo shop's invoices.
#include <gtest/gtest.h>

#include "base/file.h"
#include "engine/engine_testing.h"

namespace vitrine {
namespace {

constexpr std::string_view kShop = VITRINE_SOURCE_DIR "/examples/online-retail/";

std::unique_ptr<Engine> real_shop(const TempFolder& folder, std::size_t events) {
  Config config =
      must(read_config(real_files(), std::string(kShop) + "vitrine.toml",
                       {"shop.folder=" + folder.file("shop"), "evaluate.bootstrap=50"}));
  config.split.kind = "last_group";  // a few weeks are too short for the demo's thirty days
  auto engine = open_shop(config, OpenMode::kServe);
  TestRun run;
  for (const SourceOptions& source : config.sources) {
    if (source.kind != "events") {
      must(engine->import(run.run, source, true));
      continue;
    }
    ImportSink sink;
    std::size_t left = events;
    sink.events = [&](std::span<const Event> batch) -> Status {
      const auto some = batch.first(std::min(left, batch.size()));
      left -= some.size();
      if (const auto ack = engine->add_events(some); !ack.ok()) return ack.error();
      if (left == 0) return Error{Code::kCancelled, "enough"};
      return {};
    };
    SourceOptions resolved = source;
    resolved.path = config.resolve(source.path);
    (void)import_source(run.run, real_files(), resolved, engine->types(), false, sink).ok();
  }
  return engine;
}

TEST(OnlineRetail, RealCustomersGetFittingLists) {
  if (!file_exists(real_files(), std::string(kShop) + "data/events.csv.gz")) {
    GTEST_SKIP() << "NOT TESTED: real customers; missing: " << kShop << "data/events.csv.gz";
  }
  TempFolder folder;
  const auto engine = real_shop(folder, 40'000);
  TestRun run;
  const TrainReport report = must(engine->train(run.run, {}));
  ASSERT_TRUE(report.published) << report.verdict;
  EXPECT_GT(report.cleaning.rows_in, report.cleaning.rows_kept)
      << "postage and returns are cleaned away";
  // Who bought one hand warmer is offered others.
  RecommendRequest request;
  request.explain = true;
  request.history = {purchase("", "22633", kNoTime, "")};
  const Answer answer = must(engine->recommend(request));
  ASSERT_EQ(answer.items.size(), 10u);
  EXPECT_NE(answer.items[0].title.find("HAND WARMER"), std::string::npos) << answer.items[0].title;
  EXPECT_NE(answer.items[0].because.find("HAND WARMER UNION JACK"), std::string::npos);
  // Postage is in every invoice's history and in nobody's list.
  for (const std::string& user : engine->some_users(50)) {
    for (const char* repeat : {"never", "always"}) {
      RecommendRequest asked = request_of(user, 50);
      asked.repeat = repeat;
      for (const std::string& id : ids_of(must(engine->recommend(asked)))) {
        EXPECT_TRUE(id != "POST" && id != "M" && id != "D") << id;
      }
    }
  }
  for (const std::string& id : ids_of(must(engine->popular({.n = 100, .days = 30}))))
    EXPECT_NE(id, "POST");
  const Answer together = must(engine->similar("22633", 5, SimilarBy::kTogether, {}));
  EXPECT_FALSE(together.items.empty());
}

}  // namespace
}  // namespace vitrine
