"""The trunk side: pjsua2 in its own process, and nothing else.

In the gateway's process: `agent` (the face), `channel` and `messages` (what goes between); `starvation` and
`schedstat` tell it whether a silent worker hangs.
In the worker's process: `worker` (its life), `legs` (what it decides), `stack`, `dialog`, `gate`, `resolver` and
`stacksettings` (pjsua2), and the pure parts that those lean on: `siptext`, `trunk`, `endings`, `flaws`, `floods`,
`strangers`, `names`, `dns`, `probe`. `native` holds what pjproject is built with.
"""
