"""What the widgets of screens are called."""

BUTTONS = (
    *("Save", "Cancel", "OK", "Send", "Delete", "Open", "Close", "Next", "Back", "Help", "Login", "Search", "Edit"),
    *("Print", "Share", "Buy", "Add", "Play", "Stop", "Apply", "Reset", "Submit", "Join", "Pay", "Book", "Done"),
)
SETTINGS = (
    *("Wi-Fi", "Bluetooth", "Sound", "Dark mode", "Updates", "Location", "Backup", "Alerts", "Sync"),
    *("Camera", "Mobile data", "Autosave", "Captions", "Vibration", "News", "Remember me", "Reminders", "Private"),
)
FIELDS = ("Name", "Email", "City", "Phone", "Company", "User", "Search", "Title", "Code", "Message")
LINKS = ("Forgot password", "More", "Terms", "Sign up", "Read more", "Contact us", "About", "Privacy")
LISTS = ("Account", "Language", "Display", "Storage", "Battery", "Security", "Payments", "Orders", "Help", "Devices")
TITLES = (
    *("Settings", "Profile", "Sign in", "New message", "Checkout", "Options", "Account", "Search", "Network", "Editor"),
)
CHOICES = {
    "Language": ("English", "German", "Spanish"),
    "Size": ("Small", "Medium", "Large"),
    "Country": ("Italy", "Japan", "Brazil"),
    "Color": ("Red", "Green", "Blue"),
    "Quality": ("Low", "High", "Best"),
}
OTHERS = (
    *("Downloads", "Calendar", "Contacts", "Photos", "Music", "Videos", "Documents", "Printer", "Keyboard"),
    *("Mouse", "Time zone", "Currency", "Units", "Font size", "Contrast", "Theme", "Ringtone", "Wallpaper"),
    *("Widgets", "Feedback", "Invoices", "Clients", "Reports", "Tickets", "Drafts", "Archive", "Trash"),
    *("Favorites", "History", "Notes", "Map", "Weather", "Alarm", "Timer", "Backups", "Groups"),
    *("Members", "Projects", "Tasks", "Budget", "Delivery", "Returns", "Wishlist", "Coupons", "Points"),
    *("Journeys", "Seats", "Luggage", "Rooms", "Guests"),
)
"""What any widget may be called: rarer words, which cannot be guessed from what it is."""
