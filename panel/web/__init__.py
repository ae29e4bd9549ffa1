"""The pages and answers that the browser asks for: panel, sections, sign-in, files, and the
rendering of each."""
