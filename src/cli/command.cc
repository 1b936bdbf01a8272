#include "cli/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <system_error>
#include <thread>

#include "base/json.h"

namespace vitrine {
namespace {

constexpr int kExitFailed = 1, kExitUsage = 2, kExitInterrupted = 130;
constexpr const char* kDefaultConfig = "vitrine.toml";

class CliFlags final : public Flags {
 public:
  explicit CliFlags(CLI::App& app) : app_(app) {}
  void flag(const std::string& name, bool& into, const std::string& help) override {
    app_.add_flag(name, into, help);
  }
  void number(const std::string& name, int& into, int low, int high,
              const std::string& help) override {
    app_.add_option(name, into, help)->check(CLI::Range(low, high))->capture_default_str();
  }
  void number(const std::string& name, double& into, double low, double high,
              const std::string& help) override {
    app_.add_option(name, into, help)->check(CLI::Range(low, high))->capture_default_str();
  }
  void text(const std::string& name, std::string& into, const std::string& help) override {
    app_.add_option(name, into, help)->capture_default_str();
  }
  void choice(const std::string& name, std::string& into, const std::vector<std::string>& choices,
              const std::string& help) override {
    app_.add_option(name, into, help)->check(CLI::IsMember(choices))->capture_default_str();
  }
  void list(const std::string& name, std::vector<std::string>& into,
            const std::string& help) override {
    app_.add_option(name, into, help)->delimiter(',')->allow_extra_args(false);
  }
  void argument(const std::string& name, std::string& into, bool required,
                const std::string& help) override {
    app_.add_option(name, into, help)->required(required);
  }
  void arguments(const std::string& name, std::vector<std::string>& into,
                 const std::string& help) override {
    app_.add_option(name, into, help);
  }

 private:
  CLI::App& app_;
};

void declare_common(CLI::App& app, CommonFlags& flags) {
  app.add_option("--config", flags.config,
                 "configuration file (default: ./vitrine.toml if it is there)");
  app.add_option("--set", flags.set, "section.key=value, over the file; may be repeated")
      ->expected(1)
      ->take_all();
  app.add_flag("--json", flags.json, "one JSON object instead of a table");
  app.add_flag("--quiet", flags.quiet, "no progress, no notes");
}

int exit_status(const Error& error) {
  return error.code == Code::kCancelled ? kExitInterrupted : kExitFailed;
}

// Memory that ran out on a thread where nobody can be told ends the program as any failure does:
// what was acknowledged is in the event log.
[[noreturn]] void end_for_want_of_memory() {
  try {
    if (std::current_exception()) throw;
  } catch (const std::bad_alloc&) {
    std::fputs("vitrine: out of memory\n", stderr);
    std::_Exit(kExitFailed);
  } catch (...) {
  }
  std::abort();
}

Status run_session(const Command& command, const CommonFlags& flags) {
  try {
    VT_TRY(const auto session, Session::open(flags));
    VT_TRY(command.run(*session));
  } catch (const std::bad_alloc&) {
    return Error{Code::kExhausted, "out of memory"};
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again)
      return Error{Code::kInternal, error.what()};
    return Error{Code::kExhausted, "there is no memory, or no process, left for another thread"};
  } catch (const std::exception& error) {
    return Error{Code::kInternal, error.what()};
  }
  if (std::ferror(stdout) != 0) return Error{Code::kIo, "cannot write to standard output"};
  return {};
}

int run_one(const Command& command, const CommonFlags& flags) {
  const Status status = run_session(command, flags);
  if (status.ok()) return 0;
  fmt::print(stderr, "vitrine {}: {}\n", command.name, status.error().message);
  return exit_status(status.error());
}

// The first word that is no flag and no subcommand: what was probably meant as one.
int unknown_command(std::string_view word, const std::vector<Command>& commands) {
  std::vector<std::string_view> known;
  for (const Command& command : commands) known.push_back(command.name);
  const std::string_view near = nearest(word, known);
  fmt::print(stderr, "vitrine: unknown command '{}'{}\nTry 'vitrine --help'.\n", word,
             near.empty() ? "" : fmt::format(", did you mean '{}'?", near));
  return kExitUsage;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto used = app.get_subcommands();
  const std::string name = used.empty() ? "" : " " + used.front()->get_name();
  fmt::print(stderr, "vitrine{}: {}\nTry 'vitrine{} --help'.\n", name, error.what(), name);
  return kExitUsage;
}

// What a server trains with in the background: this binary with this configuration.
std::vector<std::string> trainer_command(const CommonFlags& flags, const std::string& config) {
  std::vector<std::string> command{"/proc/self/exe", "train", "--quiet"};
  if (!config.empty()) command.insert(command.end(), {"--config", config});
  for (const std::string& set : flags.set) command.insert(command.end(), {"--set", set});
  return command;
}

}  // namespace

Session::Session(const CommonFlags& flags, Config config)
    : flags_(flags),
      config_(std::move(config)),
      pool_(config_.shop.threads > 0 ? config_.shop.threads
                                     : static_cast<int>(std::thread::hardware_concurrency())),
      monitor_(flags.quiet) {}

Result<std::unique_ptr<Session>> Session::open(const CommonFlags& flags) {
  std::string path = flags.config;
  if (path.empty() && file_exists(real_files(), kDefaultConfig)) path = kDefaultConfig;
  VT_TRY(Config config, read_config(real_files(), path, flags.set));
  return std::unique_ptr<Session>(new Session(flags, std::move(config)));
}

Run Session::run() {
  return Run{Random(static_cast<std::uint64_t>(config_.shop.seed)), pool_, monitor_};
}

Result<std::unique_ptr<Engine>> Session::engine(OpenMode mode) {
  Config config = config_;
  if (mode == OpenMode::kServe) config.trainer = trainer_command(flags_, config.path);
  return Engine::open(std::move(config), real_files(), mode, run());
}

void Session::print(const Value& json, const std::string& text) const {
  const std::string out = flags_.json ? to_json_pretty(json) + "\n" : text;
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

int run_command_line(int argc, char** argv, const std::vector<Command>& commands) {
  std::set_terminate(end_for_want_of_memory);
  CLI::App app("Vitrine: a shop's events in, recommendations out.", "vitrine");
  app.require_subcommand(1);
  app.set_version_flag("--version", "vitrine " VITRINE_VERSION);
  app.footer(
      "A first tour:\n"
      "  vitrine import                 read the sources that vitrine.toml names into the event "
      "log\n"
      "  vitrine train                  fit the models and publish a snapshot\n"
      "  vitrine recommend 17850        what this customer should see, and why\n"
      "  vitrine serve --development    the same over HTTP\n");
  CommonFlags flags;
  for (const Command& command : commands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->footer(command.help);
    declare_common(*sub, flags);
    CliFlags declared(*sub);
    command.declare(declared);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    const std::string_view word = argc > 1 ? argv[1] : "";
    if (app.get_subcommands().empty() && !word.empty() && !word.starts_with('-')) {
      return unknown_command(word, commands);
    }
    return usage_error(app, error);
  }
  const std::string name = app.get_subcommands().front()->get_name();
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& c) { return c.name == name; });
  return run_one(*command, flags);
}

Result<std::string> recipe_folder() {
  const char* folder = std::getenv("VITRINE_DATA");
  if (folder != nullptr && *folder != '\0') return std::string(folder);
  return Error{Code::kInvalid,
               "a recipe's files are relative to the folder that VITRINE_DATA names, and it is not "
               "set; say VITRINE_DATA=/path/to/data-sets"};
}

}  // namespace vitrine
