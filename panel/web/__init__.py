"""What the browser asks for: panel, sections, sign-in, files; how every answer is rendered."""
