# The verbs of the house. The work is done by scripts/; see CONTRIBUTING.md.

CHORES = PYTHONPATH=scripts .venv/bin/python -B -m chores

.PHONY: help run setup check test lock prompts bench netem soak fuzz clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

run: ## set up, start the gateway with its demo phone, print the softphone's address
	@scripts/setup run
	@exec .venv/bin/webtrunk demo

setup: ## set up only what `make run` needs
	@scripts/setup run

check: ## format, lint, types, import contracts, unit tests (under a minute)
	@scripts/setup check
	@$(CHORES) check

test: ## everything: check, real SIP peers, a real browser
	@scripts/setup test
	@$(CHORES) test

bench: ## what a call costs, beside rtpengine: about 9 minutes; ARGS=--quick for one, --scale for limits
	@scripts/setup test
	@.venv/bin/python -m bench $(ARGS)

netem: ## voice on bad networks, beside rtpengine: about 4 minutes; ARGS="--loss 5 --seconds 16" for one cell
	@scripts/setup test
	@.venv/bin/python -m bench.voice $(ARGS)

soak: ## half load for 30 minutes: memory, descriptors, threads stay flat; ARGS="--minutes 5" for less
	@scripts/setup test
	@.venv/bin/python -m bench.soak $(ARGS)

lock: ## pin the newest versions of all dependencies with their hashes
	@scripts/lock

prompts: ## make the demo phone's prompts again (espeak-ng, sox)
	@scripts/make-prompts

fuzz: ## feed every reader of foreign input hostile bytes; FUZZ_SECONDS per target, else 600 (media/fuzz/README.md, tests/fuzz/README.md)
	@scripts/setup test
	@$(CHORES) fuzz $(FUZZ_SECONDS)

clean: ## remove everything that set-up made in this tree; the pjsua2 cache stays
	rm -rf .venv .cache node_modules media/target media/fuzz/target build *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -f media/python/mediacore/_mediacore*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
