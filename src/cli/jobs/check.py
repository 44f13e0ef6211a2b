def check_bundle(root): return []
