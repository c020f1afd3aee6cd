// Nothing to translate: of Sphinx's scripts, only its search speaks, and docs/_ext/book/search has
// taken its place. Without this file Sphinx would load its own, which runs text as code.
