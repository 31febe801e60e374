# what: this host sends storage at line rate for 600 ms, and no ping waits: nothing to freeze
# incidents: 0
burst nc1 st1:9422 600ms
