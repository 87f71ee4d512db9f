"""规则修改: rules and parameters changed where they run, each with a preview and the signatures of two persons."""
