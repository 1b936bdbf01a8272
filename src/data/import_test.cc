#include "data/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "base/json.h"
#include "data/compress_testing.h"
#include "data/limits.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

class ImportTest : public testing::Test {
 protected:
  ImportTest() {
    sink.events = [this](std::span<const Event> batch) {
      batches.push_back(batch.size());
      events.insert(events.end(), batch.begin(), batch.end());
      return Status();
    };
    sink.items = [this](std::span<const Item> batch) {
      items.insert(items.end(), batch.begin(), batch.end());
      return Status();
    };
    sink.users = [this](std::span<const User> batch) {
      users.insert(users.end(), batch.begin(), batch.end());
      return Status();
    };
    source.path = "shop/events.csv";
    source.user = "user_id";
    source.item = "item_id";
    source.default_type = "purchase";
  }

  Result<ImportReport> import(const std::string& text, bool strict = false) {
    files.put(source.path, text);
    return import_source(vitrine::Run{Random(1), pool, monitor}, files, source, types, strict,
                         sink);
  }
  // The message of an import that must fail.
  std::string failure(const std::string& text, bool strict = false) {
    const auto report = import(text, strict);
    return report.ok() ? "accepted" : report.error().message;
  }

  MemoryFiles files;
  ThreadPool pool{1};
  QuietMonitor monitor;
  EventTypes types;
  SourceOptions source;
  ImportSink sink;
  std::vector<Event> events;
  std::vector<Item> items;
  std::vector<User> users;
  std::vector<std::size_t> batches;
};

TEST_F(ImportTest, MapsColumns) {
  source.type = "event";
  source.types = {"sale=purchase", "adjust=return"};
  source.ignore_types = {"test"};
  source.quantity = "qty";
  source.price = "price";
  source.time = "at";
  source.order = "=basket";
  source.session = "#2";
  source.context = {"country", "#2"};
  const auto report = import(
      "user_id,visit,item_id,event,qty,price,at,country\n"
      "u1,s1,i1,sale,2, 3.50 ,2011-12-09T12:50:00Z,\"Korea, \"\"South\"\"\"\n"
      ",s2,i2,adjust,-1,+.5,1291191960,\n"
      "u3,s3,i3,test,1,1,1,x\n"
      "u4,s4,i4,,,,,\n");
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(to_json(report->to_json()),
            R"({"rows":4,"accepted":3,"rejected":0,"ignored":1,"repeated":0,"bytes":)" +
                std::to_string(report->bytes) + R"(,"reasons":[]})");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].user, "u1");
  EXPECT_EQ(events[0].session, "s1");
  EXPECT_EQ(events[0].order, "basket");
  EXPECT_EQ(events[0].type, EventType::kPurchase);
  EXPECT_EQ(events[0].quantity, 2);
  EXPECT_EQ(events[0].price, 3.5);
  EXPECT_EQ(events[0].time, 1323435000000);
  EXPECT_EQ(events[0].context, R"({"country":"Korea, \"South\"","column_2":"s1"})");
  EXPECT_TRUE(parse_json(events[0].context).ok());
  EXPECT_EQ(events[1].type, EventType::kReturn);
  EXPECT_EQ(events[1].quantity, -1);
  EXPECT_EQ(events[1].price, .5);
  EXPECT_EQ(events[1].time, 1291191960000);
  EXPECT_EQ(events[2].type, EventType::kPurchase);
  EXPECT_TRUE(std::isnan(events[2].quantity));
  EXPECT_EQ(events[2].time, kNoTime);
}

TEST_F(ImportTest, AnInvoiceWithoutCustomerIsASession) {
  source.order = "order";
  source.anonymous_by_order = true;
  ASSERT_TRUE(import("user_id,item_id,order\n,i1,o1\nu,i1,o2\n").ok());
  EXPECT_EQ(events[0].session, "o1");
  EXPECT_EQ(events[1].session, "");
}

TEST_F(ImportTest, DerivesIdsFromFileAndRow) {
  const std::string text = "user_id,item_id\nu,i\nu,i\n";
  ASSERT_TRUE(import(text).ok());
  ASSERT_TRUE(import(text).ok());
  ASSERT_TRUE(import(text + "\n").ok());
  source.name = "another source";
  ASSERT_TRUE(import(text).ok());
  std::vector<std::string> ids;
  for (const Event& event : events) {
    ids.push_back(event.id);
    EXPECT_TRUE(check_id(event.id, "id").ok());
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_EQ(ids[1], ids[3]);
  EXPECT_EQ((std::set<std::string>(ids.begin(), ids.end())).size(), 6u);
}

TEST_F(ImportTest, KeepsIdsThatAreThere) {
  source.id = "event_id";
  ASSERT_TRUE(import("user_id,item_id,event_id\nu,i,e1\nu,i,\n").ok());
  EXPECT_EQ(events[0].id, "e1");
  EXPECT_NE(events[1].id, "");
}

TEST_F(ImportTest, GoesOnPastBadRows) {
  source.price = "price";
  source.time = "at";
  source.type = "event";
  const auto report = import(
      "user_id,item_id,price,at,event\n"
      "u,i,1,1,view\n"
      "u,i,1\n"
      "u,i,dear,1,view\n"
      "u,i,1,soon,view\n"
      "u,i,1,1,veiw\n"
      "u,i\xff,1,1,view\n"
      "u,i\x01,1,1,view\n" +
      std::string(257, 'u') +
      ",i,1,1,view\n"
      ",i,1,1,view\n"
      "u,,1,1,view\n"
      "u,\"i,1,1,view\n"
      "u,i,inf,1,view\n"
      "u,\"i\",1,1,view\n");
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->rows, 13u);
  EXPECT_EQ(report->accepted, 2u);
  EXPECT_EQ(report->rejected, 11u);
  const std::vector<std::string> expected = {
      "events.csv:3: expected 5 columns, found 3",
      "events.csv:4: price: expected a number, found 'dear'",
      "events.csv:5: time: 'soon' is no time; expected 2011-12-09T12:50:00Z, Unix seconds or "
      "milliseconds",
      "events.csv:6: type: unknown event type 'veiw', did you mean 'view'? (the option types maps "
      "a file's words, ignore_types leaves them out)",
      "events.csv:7: is not valid UTF-8",
      "events.csv:8: item: contains a control character",
      "events.csv:9: user: has 257 bytes, the limit is 256",
      "events.csv:10: user: is missing, and so is session; an event needs one of them",
      "events.csv:11: item: is missing; only a search may leave it out"};
  ASSERT_EQ(report->reasons.size(), 10u);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(report->reasons[i], expected[i]);
  EXPECT_TRUE(report->reasons[9].starts_with("events.csv:12: a quote"));
}

TEST_F(ImportTest, StrictStopsAtTheFirst) {
  EXPECT_EQ(failure("user_id,item_id\nu,i\nu\nu,i\n", true),
            "events.csv:3: expected 2 columns, found 1; 1 rows before it were imported and stay");
  EXPECT_EQ(events.size(), 1u);
}

TEST_F(ImportTest, AMissingColumnIsNamedWithThoseThatExist) {
  source.user = "usr_id";
  EXPECT_EQ(failure("user_id,item_id,time\nu,i,1\n"),
            "events.csv: user: there is no column 'usr_id', did you mean 'user_id'? the columns "
            "are user_id, "
            "item_id, time");
  source.user = "#4";
  EXPECT_EQ(failure("user_id,item_id,time\nu,i,1\n"),
            "events.csv: user: there is no column '#4'; the columns are #1 to #3");
  source.user = "user_id";
  EXPECT_EQ(
      failure("user_id,item_id,user_id\nu,i,1\n"),
      "events.csv: user: the header names 'user_id' more than once; map it by position, as #1");
}

TEST_F(ImportTest, AMissingHeaderIsShown) {
  EXPECT_EQ(failure("17850,85123A\n17851,2\n"),
            "events.csv: the first row names none of the mapped columns (user_id, item_id); it is "
            "'17850,85123A'. A file without a header needs header = false and columns mapped by "
            "position, as #1");
  EXPECT_EQ(failure(""), "events.csv: is empty; expected a first row that names the columns");
}

TEST_F(ImportTest, WithoutAHeaderColumnsHavePositions) {
  source.header = false;
  EXPECT_EQ(failure("u,i\n"),
            "events.csv: user: without a header (header = false) columns have positions, as #1, "
            "not names like "
            "'user_id'");
  source.user = "#1";
  source.item = "#2";
  const auto report = import("u1,i1\nu2,i2\nu3\n");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->accepted, 2u);
  EXPECT_EQ(events[0].user, "u1");
  ASSERT_TRUE(import("").ok());
}

TEST_F(ImportTest, WrongOptionsAreNamed) {
  const std::string text = "user_id,item_id\nu,i\n";
  const auto with = [&](auto change) {
    const SourceOptions before = source;
    change(source);
    const std::string message = failure(text);
    source = before;
    return message;
  };
  EXPECT_EQ(with([](SourceOptions& s) { s.title = "x"; }),
            "events.csv: title: events have no such field");
  EXPECT_EQ(with([](SourceOptions& s) { s.default_type = ""; }),
            "events.csv: type: name the column of the event type, or set default_type");
  EXPECT_EQ(with([](SourceOptions& s) { s.default_type = "purchas"; }),
            "events.csv: default_type: unknown event type 'purchas', did you mean 'purchase'?");
  EXPECT_EQ(with([](SourceOptions& s) { s.types = {"sale"}; }),
            "events.csv: types: 'sale' is not written word=type, as in \"sale=purchase\"");
  EXPECT_EQ(with([](SourceOptions& s) { s.delimiter = "::"; }),
            "events.csv: delimiter: expected one character or tab, found '::'");
  EXPECT_EQ(with([](SourceOptions& s) { s.quote = ","; }),
            "events.csv: delimiter and quote are the same character");
  EXPECT_EQ(with([](SourceOptions& s) { s.user = ""; }),
            "events.csv: user: name the column of the user id or of the session id, or set "
            "anonymous_by_order "
            "and order");
}

TEST_F(ImportTest, AMissingFileIsAnError) {
  source.path = "nowhere.csv";
  const auto report =
      import_source(vitrine::Run{Random(1), pool, monitor}, files, source, types, false, sink);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kNotFound);
  EXPECT_NE(report.error().message.find("nowhere.csv"), std::string::npos);
}

TEST_F(ImportTest, AFileCutShortSaysWhatWasImported) {
  std::string text = "user_id,item_id\n";
  for (int i = 0; i < 30'000; ++i)
    text += "user" + std::to_string(i * 7919 % 10007) + ",i" + std::to_string(i) + "\n";
  source.path = "events.csv.gz";
  const std::string compressed = gzip(text);
  const std::string message = failure(compressed.substr(0, compressed.size() / 2));
  EXPECT_EQ(message, "events.csv.gz: the gzip stream is cut short; the file is not complete; " +
                         std::to_string(events.size()) + " rows before it were imported and stay");
  EXPECT_GT(events.size(), 10'000u);
  events.clear();
  EXPECT_EQ(failure("user_id,item_id\nu,i\nu,\"i\n"),
            "events.csv.gz: the file ends inside the quoted field of the row at line 3; 1 rows "
            "before it were "
            "imported and stay");
  ASSERT_TRUE(import(compressed).ok());
  ASSERT_TRUE(import(zstd(text)).ok());
  EXPECT_EQ(events.size(), 60'001u);
}

TEST_F(ImportTest, HandsOutBatches) {
  std::string text = "user_id,item_id\n";
  for (std::size_t i = 0; i < kImportBatchRows + 1; ++i) text += "u,i\n";
  ASSERT_TRUE(import(text).ok());
  EXPECT_EQ(batches, (std::vector<std::size_t>{kImportBatchRows, 1}));
}

TEST_F(ImportTest, AnErrorOfTheSinkEndsTheImport) {
  sink.events = [](std::span<const Event>) {
    return Status(Error{Code::kExhausted, "the disk is full"});
  };
  const auto report = import("user_id,item_id\nu,i\n");
  EXPECT_EQ(report.error().message, "the disk is full");
}

class ImpatientMonitor final : public Monitor {
 public:
  explicit ImpatientMonitor(Verdict verdict) : verdict_(verdict) {}
  void begin(std::string_view, std::uint64_t total, std::string_view) override { total_ = total; }
  Verdict advance(std::uint64_t done) override {
    EXPECT_LE(done, total_);
    return verdict_;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }

 private:
  Verdict verdict_;
  std::uint64_t total_ = 0;
};

TEST_F(ImportTest, StopsWhenTold) {
  std::string text = "user_id,item_id\n";
  for (int i = 0; i < 5000; ++i) text += "u,i\n";
  files.put(source.path, text);
  ImpatientMonitor cancel(Verdict::kCancel), finish(Verdict::kFinish);
  const auto cancelled =
      import_source(vitrine::Run{Random(1), pool, cancel}, files, source, types, false, sink);
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code, Code::kCancelled);
  EXPECT_EQ(cancelled.error().message, "events.csv: cancelled; " + std::to_string(events.size()) +
                                           " rows before it were imported and stay");
  const auto finished =
      import_source(vitrine::Run{Random(1), pool, finish}, files, source, types, false, sink);
  ASSERT_TRUE(finished.ok());
  EXPECT_LT(finished->accepted, 5000u);
}

TEST_F(ImportTest, ReadsItems) {
  source = SourceOptions();
  source.kind = "items";
  source.path = "items.tsv";
  source.id = "sku";
  source.title = "name";
  source.category = "path";
  source.price = "price";
  source.tags = "tags";
  source.available = "stock";
  source.currency = "=GBP";
  source.attributes = {"colour", "weight"};
  const auto report = import(
      "sku\tname\tpath\tprice\ttags\tstock\tcolour\tweight\n"
      "a\tLamp\tHome > Lights >\t2.5\twhite|gift\tYes\tred\t12\n"
      "b\t\t\t\t\tno\t\t\n"
      "c\tBroken\t\tx\t\t\t\t\n"
      "\tNameless\t\t\t\t\t\t\n"
      "d\tPerhaps\t\t\t\tmaybe\t\t\n");
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(
      to_json(item_to_json(items[0])),
      R"({"id":"a","title":"Lamp","category":["Home","Lights"],"price":2.5,"currency":"GBP",)"
      R"("tags":["white","gift"],"available":true,"attributes":{"colour":"red","weight":12.0}})");
  EXPECT_FALSE(items[1].available);
  EXPECT_EQ(report->reasons,
            (std::vector<std::string>{
                "items.tsv:4: price: expected a number, found 'x'", "items.tsv:5: id: is missing",
                "items.tsv:6: available: expected true, false, 1, 0, yes or no, found 'maybe'"}));
}

TEST_F(ImportTest, ReadsUsers) {
  source = SourceOptions();
  source.kind = "users";
  source.path = "users.csv";
  source.id = "user_id";
  source.attributes = {"country"};
  ASSERT_TRUE(import("user_id,country\n12346,United Kingdom\n").ok());
  EXPECT_EQ(to_json(user_to_json(users[0])),
            R"({"id":"12346","attributes":{"country":"United Kingdom"}})");
}

TEST_F(ImportTest, ReadsMappedJsonLines) {
  source.path = "events.jsonl";
  source.time = "at";
  source.context = {"device.os"};
  const auto report = import(
      "{\"user_id\":17850,\"item_id\":\"i\",\"at\":1291191960,\"device\":{\"os\":\"x\"}}\n"
      "{\"user_id\":true,\"item_id\":\"i\",\"at\":\"2011-12-09\"}\nnonsense\n{\"user_id\":\"u\"}"
      "\n");
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].user, "17850");
  EXPECT_EQ(events[0].time, 1291191960000);
  EXPECT_EQ(events[0].context, R"({"device.os":"x"})");
  EXPECT_EQ(report->rejected, 2u);
  EXPECT_EQ(report->reasons[1], "events.jsonl:4: item: is missing; only a search may leave it out");
}

TEST_F(ImportTest, ReadsOurOwnDocumentsWithoutAMapping) {
  source = SourceOptions();
  source.path = "things";  // told by its first byte
  ASSERT_TRUE(
      import("{\"user\":\"u\",\"item\":\"i\",\"type\":\"view\",\"context\":{\"a\":1}}\n").ok());
  EXPECT_EQ(events.at(0).context, R"({"a":1})");
  EXPECT_NE(events.at(0).id, "");
  source.kind = "items";
  const auto report = import(
      "{\"id\":\"a\",\"vectors\":{\"text\":[1,2]},\"category\":[\"x > "
      "y\",\"z\"]}\n{\"id\":\"b\",\"price\":\"2\"}\n");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(items.at(0).vectors.at(0).second.size(), 2u);
  EXPECT_EQ(items.at(0).category.at(0), "x > y");
  EXPECT_EQ(report->reasons.at(0), "things:2: price: expected a number, found a string");
}

TEST_F(ImportTest, ColumnsThatSpeakForThemselvesNeedNoMapping) {
  source = SourceOptions();
  source.path = "events.csv";
  ASSERT_TRUE(import("CustomerID,StockCode,Quantity,InvoiceNo,Unit "
                     "Price,InvoiceDate\n1,2,3,4,5,2011-12-09 12:50\n")
                  .ok());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, EventType::kPurchase);
  EXPECT_EQ(events[0].price, 5);
  EXPECT_EQ(events[0].order, "4");
  EXPECT_EQ(events[0].time, 1323435000000);
  EXPECT_EQ(
      failure("alpha,beta\n1,2\n"),
      "events.csv: no column is mapped, and none of the first row speaks for itself: 'alpha,beta'");
}

TEST_F(ImportTest, OnlineRetailHasItsKnownCounts) {
  const char* const folder = std::getenv("VITRINE_DATA");
  source.path = (folder != nullptr ? std::string(folder)
                                   : std::string(VITRINE_SOURCE_DIR "/../shared/data")) +
                "/online-retail/events.csv.gz";
  if (!file_exists(real_files(), source.path))
    GTEST_SKIP() << "NOT TESTED: the counts of Online Retail; missing: " << source.path
                 << " (VITRINE_DATA names another folder)";
  source.type = "event";
  source.quantity = "value";
  source.price = "unit_price";
  source.order = "invoice";
  source.time = "timestamp";
  source.context = {"country"};
  source.types = {"adjust=dislike"};
  source.anonymous_by_order = true;
  std::map<EventType, int> counts;
  std::set<std::string> customers;
  int anonymous = 0;
  sink.events = [&](std::span<const Event> batch) {
    for (const Event& event : batch) {
      ++counts[event.type];
      if (event.user.empty())
        ++anonymous;
      else
        customers.insert(event.user);
    }
    return Status();
  };
  const auto report = import_source(vitrine::Run{Random(1), pool, monitor}, real_files(), source,
                                    types, true, sink);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->rows, 541'909u);
  EXPECT_EQ(report->accepted, 541'909u);
  EXPECT_EQ(counts[EventType::kPurchase], 531'285);
  EXPECT_EQ(counts[EventType::kReturn], 9'288);
  EXPECT_EQ(counts[EventType::kDislike], 1'336);
  EXPECT_EQ(anonymous, 135'080);
  EXPECT_EQ(customers.size(), 4'372u);
}

}  // namespace
}  // namespace vitrine
