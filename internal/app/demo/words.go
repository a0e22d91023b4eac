package demo

import "strings"

var (
	companyFirst = []string{
		"Atlas", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Kestrel", "Lumen", "Meridian", "Northwind",
		"Orchard", "Pioneer", "Quartz", "River", "Solstice", "Tundra", "Umbra", "Vector", "Willow", "Yarrow", "Zephyr", "Alder", "Beacon", "Cedar", "Dune", "Elm",
	}
	companySecond = []string{
		"Freight", "Instruments", "Foods", "Logistics", "Robotics", "Textiles", "Energy", "Clinics", "Software", "Tools", "Optics", "Packaging",
		"Ceramics", "Marine", "Bikes", "Publishing", "Analytics", "Hotels", "Furniture", "Labs", "Motors", "Paper", "Glass", "Farms",
	}
	firstNames = []string{
		"Ada", "Ben", "Clara", "David", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Katarzyna", "Luis", "Mia", "Noah", "Olga", "Paul", "Quentin", "Rosa",
		"Sven", "Tereza", "Umar", "Vera", "Wanda", "Xavier", "Yuki", "Zoë", "André", "Björn", "Chloé", "Dmitri", "Emma", "Farid", "Gül", "Hanna", "Ivan", "Jürgen",
	}
	lastNames = []string{
		"Adler", "Becker", "Costa", "Dahl", "Eriksen", "Fischer", "García", "Hoffmann", "Ivanova", "Jansen", "Khan", "Lindqvist", "Moreau", "Nowak", "O'Brien",
		"Petrov", "Quint", "Rossi", "Schmidt", "Tanaka", "Ullrich", "Varga", "Weber", "Yilmaz", "Zimmermann", "Müller", "Peña", "Østergaard", "Smith", "Smit",
	}
	titles     = []string{"CEO", "CFO", "Head of Operations", "Purchasing Manager", "IT Manager", "Sales Director", "Assistant", "Engineer", "Marketing Manager", "Student", "Founder", "Analyst"}
	industries = []string{"Manufacturing", "Logistics", "Retail", "Healthcare", "Software", "Hospitality", "Energy", "Education"}
	sources    = []string{"Website", "Referral", "Trade fair", "Newsletter", "Cold call", "Webinar", "Partner"}
	cities     = []string{"Berlin", "Hamburg", "Wien", "Zürich", "København", "Amsterdam", "Lyon", "Porto", "Kraków", "Gent"}
	countries  = []string{"Germany", "Austria", "Switzerland", "Denmark", "Netherlands", "France", "Portugal", "Poland", "Belgium"}
	streets    = []string{"Hafenstraße", "Main Street", "Rue du Port", "Lindenallee", "Kanalvej", "Marktplatz", "Station Road"}
	products   = []string{"Starter kit", "Annual licence", "Fleet upgrade", "Service contract", "Sensor package", "Pilot project", "Expansion"}

	lossReasons = []string{"Price", "No budget", "Competitor", "Bad timing", "No decision", "No answer"}
	subjects    = map[string][]string{
		"task":    {"Send the offer", "Check the contract", "Ask for references", "Prepare the demo", "Confirm delivery date", "Update the forecast"},
		"call":    {"First call", "Follow-up call", "Talk about the price", "Call back"},
		"meeting": {"Product demo", "Kick-off", "Negotiation", "Site visit"},
		"note":    {"Wants to decide this quarter", "Asked for a second quote", "Likes the service level", "New contact in purchasing"},
	}

	sourceEffect   = map[string]float64{"Referral": 1.2, "Partner": 0.9, "Webinar": 0.4, "Website": 0.2, "Trade fair": 0, "Newsletter": -0.4, "Cold call": -1.1}
	industryEffect = map[string]float64{"Manufacturing": 0.5, "Logistics": 0.4, "Software": 0.2, "Education": -0.5, "Hospitality": -0.3}
)

func titleEffect(title string) float64 {
	switch {
	case title == "CEO" || title == "Founder" || strings.HasPrefix(title, "Head"):
		return 0.8
	case strings.Contains(title, "Director") || title == "CFO":
		return 0.6
	case title == "Student" || title == "Assistant":
		return -1.2
	}
	return 0
}
