# For fingers that type make: every target is a command of ./dev. Arguments: make test ARGS="./internal/record/... -v"
.PHONY: help run test build generate check fmt bench
help run test build generate check fmt bench:
	@./dev $@ $(ARGS)
