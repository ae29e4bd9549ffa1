"""The commands of `flask --app app …`, for administrators."""
