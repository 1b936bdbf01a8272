#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {
namespace {

struct SimilarFlags {
  std::string item, by = "behaviour";
  int n = 10;
  std::vector<std::string> exclude;
};

}  // namespace

Command similar_command() {
  auto flags = std::make_shared<SimilarFlags>();
  return {
      "similar", "items like an item, or bought together with it",
      "  vitrine similar 85123A\n"
      "  vitrine similar 85123A --by content\n"
      "  vitrine similar 85123A --by together\n\n"
      "Each way needs a model that knows it: behaviour item_knn, slim or ease; content content; "
      "graph rp3beta\n"
      "or spectral; embedding node_embedding, als, lightgcn or bpr; together together.\n",
      [flags](Flags& f) {
        f.argument("item", flags->item, true, "item id");
        std::vector<std::string> ways;
        for (const SimilarWay& way : similar_ways()) ways.emplace_back(way.name);
        f.choice("--by", flags->by, ways,
                 "liked by the same people, described alike, near in the graph of who took "
                 "what, near as a learned vector, or bought in one basket");
        f.number("-n,--number", flags->n, 1, 1000, "length of the list");
        f.list("--exclude", flags->exclude, "item ids that may not be in the list");
      },
      [flags](Session& session) -> Status {
        VT_TRY(const auto engine, session.engine(OpenMode::kTool));
        VT_TRY(const Item item, engine->item(flags->item));
        VT_TRY(const SimilarBy by, parse_similar(flags->by));
        VT_TRY(const Answer answer, engine->similar(flags->item, flags->n, by, flags->exclude));
        session.print(answer_json(answer), std::string(similar_way(by).relation) + flags->item +
                                               " " + item.title + "\n" + answer_text(answer));
        return {};
      }};
}

}  // namespace vitrine
