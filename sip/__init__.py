"""The trunk side: pjsua2 in its own process, and nothing else.

In the gateway's process: `agent` (the face), `channel` and `messages` (what goes between), `ledger` (the dialogs that
need an end); `starvation` and `schedstat` tell it whether a silent worker hangs.
In the worker's process: `worker` (its life), `legs` (what it decides), `stack`, `trunkline`, `dialog`, `gate`,
`resolver` and `stacksettings` (pjsua2), `dialognotes`, `partings` and `farewells` (that each dialog gets its end), and
the pure parts that those lean on: `siptext`, `dialogtrace`, `trunk`, `endings`, `flaws`, `floods`, `strangers`,
`names`, `dns`, `probe`. `native` holds what pjproject is built with.
"""
