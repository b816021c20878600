"""The streams of the demo."""

# Each stream of the demo: its block's name, and the start of its id where others have the same name.
DEMO = {
    "accounts": ("Accounts", ""),
    "countries": ("Countries", ""),
    "currencies": ("Currencies", ""),
    "departments_8ccb9841": ("Departments", "8ccb9841"),
    "departments_dee34ae7": ("Departments", "dee34ae7"),
    "employees": ("Employees", ""),
    "gl_transactions": ("GL transactions", ""),
    "headcount": ("Headcount", ""),
    "months": ("Months", ""),
    "p_l": ("P&L", ""),
    "projects": ("Projects", ""),
    "versions": ("Versions", ""),
}
