// A subcommand is a name, a page of help, its flags, and a function. main.cc holds the table of
// all; the flags' parser (CLI11) is known to command.cc alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/run.h"
#include "cli/terminal.h"
#include "engine/engine.h"

namespace vitrine {

// What every subcommand understands.
struct CommonFlags {
  std::string config;            // path; empty: vitrine.toml if it is there, else defaults
  std::vector<std::string> set;  // section.key=value
  bool json = false;
  bool quiet = false;
};

// Declares flags. References must outlive the parsing.
class Flags {
 public:
  virtual ~Flags() = default;
  virtual void flag(const std::string& name, bool& into, const std::string& help) = 0;
  virtual void number(const std::string& name, int& into, int low, int high,
                      const std::string& help) = 0;
  virtual void number(const std::string& name, double& into, double low, double high,
                      const std::string& help) = 0;
  virtual void text(const std::string& name, std::string& into, const std::string& help) = 0;
  virtual void choice(const std::string& name, std::string& into,
                      const std::vector<std::string>& choices, const std::string& help) = 0;
  virtual void list(const std::string& name, std::vector<std::string>& into,
                    const std::string& help) = 0;
  virtual void argument(const std::string& name, std::string& into, bool required,
                        const std::string& help) = 0;
  virtual void arguments(const std::string& name, std::vector<std::string>& into,
                         const std::string& help) = 0;
};

// Configuration, threads and monitor of one invocation.
class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const CommonFlags& flags);
  const CommonFlags& flags() const { return flags_; }
  const Config& config() const { return config_; }
  Run run();
  Result<std::unique_ptr<Engine>> engine(OpenMode mode);
  // Prints `json` when --json was given, else `text`; both to standard output.
  void print(const Value& json, const std::string& text) const;

 private:
  Session(const CommonFlags& flags, Config config);
  CommonFlags flags_;
  Config config_;
  ThreadPool pool_;
  TerminalMonitor monitor_;
};

struct Command {
  std::string name, summary;
  std::string help;  // paragraphs and examples below the flags
  std::function<void(Flags&)> declare;
  std::function<Status(Session&)> run;
};

// Parses, runs, reports; returns the exit status: 0, 1 (failed), 2 (usage), 130 (interrupted).
int run_command_line(int argc, char** argv, const std::vector<Command>& commands);

// Where the files of recipes are: the folder that VITRINE_DATA names. kInvalid, with the remedy,
// when it names none.
Result<std::string> recipe_folder();

// One file each.
Command import_command();
Command clean_command();
Command train_command();
Command evaluate_command();
Command tune_command();
Command recommend_command();
Command similar_command();
Command explain_command();
Command serve_command();
Command snapshot_command();
Command replay_command();
Command bench_command();
Command config_command();

}  // namespace vitrine
