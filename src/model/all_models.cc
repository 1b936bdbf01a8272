#include <type_traits>
#include <vector>

#include "model/als.h"
#include "model/basket.h"
#include "model/bert4rec.h"
#include "model/blend.h"
#include "model/bpr.h"
#include "model/caser.h"
#include "model/content.h"
#include "model/ease.h"
#include "model/gru4rec.h"
#include "model/item_knn.h"
#include "model/lightgcn.h"
#include "model/mf.h"
#include "model/mult_vae.h"
#include "model/neumf.h"
#include "model/node_embedding.h"
#include "model/popularity.h"
#include "model/rec_vae.h"
#include "model/rp3beta.h"
#include "model/sasrec.h"
#include "model/session_knn.h"
#include "model/slim.h"
#include "model/spectral.h"
#include "model/together.h"
#include "model/two_tower.h"
#include "model/user_knn.h"

namespace vitrine {
namespace {

template <class Options>
Result<Options> checked(const Table& table) {
  return read_options<Options>(table, Options::kName);
}

template <class Options, auto kFit, auto kLoad>
constexpr ModelKind row(std::string_view help) {
  return {Options::kName,
          help,
          [](const Run& run, const Table& table, const TrainingSet& set,
             const Model* previous) -> Result<std::unique_ptr<const Model>> {
            VT_TRY(const Options options, checked<Options>(table));
            if constexpr (std::is_invocable_v<decltype(kFit), const Run&, const Options&,
                                              const TrainingSet&, const Model*>) {
              return kFit(run, options, set, previous);  // can start from the model before
            } else {
              return kFit(run, options, set);
            }
          },
          kLoad,
          &describe_options<Options>,
          [](const Table& table) -> Result<Table> {
            VT_TRY(const Options options, checked<Options>(table));
            return write_options(options);
          }};
}

// Its options hold those of other models.
constexpr ModelKind kBlend = {
    BlendOptions::kName,
    "several models in one list: scores or ranks with weights, given or learned",
    [](const Run& run, const Table& table, const TrainingSet& set, const Model*) {
      return fit_blend(run, table, set);
    },
    &load_blend,
    &describe_options<BlendOptions>,
    &complete_blend};

constexpr ModelKind kModels[] = {
    row<PopularityOptions, fit_popularity, load_popularity>(
        "what most people took: all time, a window, a half-life, per category"),
    row<ItemKnnOptions, fit_item_knn, load_item_knn>(
        "who took this also took that: neighbours by co-occurrence, order and time"),
    row<EaseOptions, fit_ease, load_ease>(
        "linear item-to-item model in closed form; sparse for large catalogues"),
    row<AlsOptions, fit_als, load_als>(
        "implicit matrix factorisation by alternating least squares; any number of items"),
    row<MfOptions, fit_mf, load_mf>(
        "predicts ratings, in their unit; for showing a rating: a list by it ranks poorly"),
    row<BprOptions, fit_bpr, load_bpr>(
        "factors by gradient descent: what was taken ranks above what was not"),
    row<SlimOptions, fit_slim, load_slim>(
        "sparse linear item-to-item model by elastic net: for large catalogues"),
    row<UserKnnOptions, fit_user_knn, load_user_knn>(
        "what the people took who resemble this one: neighbours found from the history"),
    row<Rp3betaOptions, fit_rp3beta, load_rp3beta>(
        "random walks over persons and items, popular items muted: similarity by the graph"),
    row<SessionKnnOptions, fit_session_knn, load_session_knn>(
        "what was taken in past sessions that resemble this one: S-KNN, V-SKNN, STAN, VSTAN"),
    row<SasrecOptions, fit_sasrec, load_sasrec>(
        "the next item from the order of a history: a transformer; minutes of training"),
    row<Bert4recOptions, fit_bert4rec, load_bert4rec>(
        "hidden items from all around them: a transformer that looks both ways"),
    row<MultVaeOptions, fit_mult_vae, load_mult_vae>(
        "an autoencoder of what a person took, with a multinomial likelihood"),
    row<RecVaeOptions, fit_rec_vae, load_rec_vae>(
        "the same with a deeper encoder and a prior that remembers"),
    row<Gru4RecOptions, fit_gru4rec, load_gru4rec>(
        "the next item from the order of a history: recurrent units; minutes of training"),
    row<CaserOptions, fit_caser, load_caser>(
        "the next item from the latest few: convolutions; minutes of training"),
    row<BasketOptions, fit_basket, load_basket>(
        "the next basket, buying again included: own, neighbours' and everyone's frequencies"),
    row<NodeEmbeddingOptions, fit_node_embedding, load_node_embedding>(
        "item vectors from what random walks meet together, factorised"),
    row<SpectralOptions, fit_spectral, load_spectral>(
        "graph filters without training: GF-CF, Turbo-CF, blurring and sharpening"),
    row<TogetherOptions, fit_together, load_together>(
        "what is bought in one basket: support, lift or log-likelihood ratio"),
    row<ContentOptions, fit_content, load_content>(
        "what is described alike: words and labels of the catalogue; reaches items without events"),
    row<LightGcnOptions, fit_lightgcn, load_lightgcn>(
        "vectors smoothed over the graph of persons and items; softmax or BPR"),
    row<NeumfOptions, fit_neumf, load_neumf>(
        "neural matrix factorisation: a product and a perceptron over the history's vectors"),
    row<TwoTowerOptions, fit_two_tower, load_two_tower>(
        "a vector of the history near vectors of items: ids and attributes, new items included"),
    kBlend,
};

}  // namespace

std::span<const ModelKind> all_models() { return kModels; }

Result<const ModelKind*> find_model(std::string_view name) {
  std::vector<std::string_view> known;
  for (const ModelKind& kind : kModels) {
    if (kind.name == name) return &kind;
    known.push_back(kind.name);
  }
  std::string message = "unknown model \"" + std::string(name) + "\"";
  const std::string_view near = nearest(name, known);
  message +=
      near.empty() ? "; known are" : ": did you mean \"" + std::string(near) + "\"? Known are";
  for (const std::string_view k : known) message += " " + std::string(k);
  return Error{Code::kInvalid, std::move(message)};
}

}  // namespace vitrine
