"""What the people of the demo say whatever the rubric: names, places, work, small talk. No rubric's phrases."""

FIRST_NAMES = (
    "Ada",
    "Bilal",
    "Chiara",
    "Dov",
    "Elif",
    "Fiona",
    "Goran",
    "Hana",
    "Ines",
    "Jonas",
    "Kofi",
    "Lena",
    "Mateo",
    "Nadia",
    "Otto",
    "Priya",
    "Quinn",
)
LAST_NAMES = (
    "Abara",
    "Brandt",
    "Castro",
    "Dufour",
    "Eriksen",
    "Farouk",
    "Grant",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
)
PLACES = ("Leeds, United Kingdom", "Lyon, France", "Austin, Texas", "Kraków, Poland", "Nairobi, Kenya", "Osaka, Japan")
INDUSTRIES = ("Logistics", "Food Production", "Publishing", "Furniture", "Textiles", "Architecture")
COMPANIES = (
    "Fernhill Works",
    "Blue Kettle",
    "Marlow & Daughters",
    "Tidewater Goods",
    "Oakline",
    "Pico Press",
    "Zum Löwen",
)
TITLES = (
    "Operations Lead",
    "Project Planner",
    "Team Coordinator",
    "Office Lead",
    "Production Planner",
    "Programme Lead",
)
SKILLS = ("Writing", "Planning", "Spreadsheets", "Public transport", "Negotiating bedtimes", "Baking", "French")

SMALL_TALK = (
    "Based in a small town by a river, most often found on a bicycle.",
    "I like plain words, short meetings and long walks.",
    "On weekends I repair old radios and grow tomatoes.",
    "Outside work I sing in a choir that is better than it looks.",
    "I read everything I can find about the history of maps.",
    "Happy to talk to anyone who cares about doing things properly.",
    "My first job was delivering newspapers, and I was never late.",
    "I believe that good notes are worth more than good intentions.",
    "Ask me about sourdough, sailing boats or the offside rule.",
    "Two children, one dog, no free evenings.",
    "I moved countries three times and kept the same coffee pot.",
    "People tell me that I explain complicated things simply.",
)
CHORES = (
    "Kept the weekly plan, the shared calendar and everybody's temper in order.",
    "Replaced a wall of paper folders with one list that people can find things in.",
    "Cut the time from order to delivery from nine days to four.",
    "Wrote the handbook that newcomers read in their first week.",
    "Ran the yearly stocktaking across six warehouses.",
    "Answered the letters nobody else wanted to answer.",
    "Moved the whole department into another building over one weekend.",
    "Looked after forty machines and the people who know how they work.",
    "Brought down the number of complaints by listening to them.",
    "Set up the Monday round in which every problem gets an owner.",
)
POST_TALK = (
    "A quiet week. I finally cleaned my desk and found three pens I had given up on.",
    "Thank you all for the kind words about our summer picnic!",
    "Rain again on the way to the office, and yet the best conversations happen on that train.",
    "Finished a good book about bridges. Recommended to anyone who crosses them.",
    "Ten years at the same company today. There was cake.",
)
