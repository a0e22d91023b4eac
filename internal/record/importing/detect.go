package importing

import "strings"

// signatures are headings, squeezed, that one system's exports have and those of the
// others do not spell so.
var signatures = map[string][]string{
	"hubspot": {
		"recordid", "lifecyclestage", "associatedcompanyids", "associatedcompanyidsprimary", "associatedcompanyprimary", "associatedcontactids", "associateddealids",
		"associatednoteids", "companydomainname", "contactowner", "companyowner", "dealowner", "createdate", "stateregion", "countryregion", "dealstage", "associatedcompanydomain",
		"associatedcontactemail", "lastactivitydate", "marketingcontactstatus", "unsubscribedfromallemail", "mobilephonenumber", "isclosedlost",
	},
	"salesforce": {
		"isdeleted", "masterrecordid", "createdbyid", "lastmodifiedbyid", "lastmodifieddate", "systemmodstamp", "ownerid", "accountid", "leadsource", "mailingstreet", "mailingcity",
		"mailingpostalcode", "stagename", "isconverted", "converteddate", "hasoptedoutofemail", "numberofemployees", "billingpostalcode", "forecastcategoryname", "isclosed", "iswon", "mobilephone",
	},
	"twenty": {
		"emailsprimaryemail", "emailsadditionalemails", "phonesprimaryphonenumber", "phonesprimaryphonecountrycode", "phonesprimaryphonecallingcode", "namefirstname", "namelastname",
		"addressaddress1", "addresspostcode", "amountamount", "amountcurrency", "domaindomainurl", "domaindomainlabel", "domainnamedomainurl", "linkslinkurl",
	},
	"espocrm": {
		"emailaddressisoptedout", "assigneduserid", "assignedusername", "accountname", "accountid", "emailaddress", "phonenumber", "billingaddressstreet", "billingaddresscity", "addressstreet",
		"addresscity", "addresspostalcode", "amountcurrency", "createdbyname", "createdbyid", "modifiedat", "teamsids", "donotcall", "salutationname",
	},
}

// sure is how many headings must speak for a system.
const sure = 3

// detectPreset finds the system a file comes from by its headings; "" = none for sure.
func detectPreset(heads []string) string {
	have := map[string]bool{}
	pipedrive, camel := 0, 0
	for _, h := range heads {
		have[squeeze(h)] = true
		if entity, _, ok := strings.Cut(h, " - "); ok && pipedriveEntities[strings.ToLower(strings.TrimSpace(entity))] != "" {
			pipedrive++
		}
		if h != "" && h[0] >= 'a' && h[0] <= 'z' && strings.ToLower(h) != h {
			camel++
		}
	}
	if pipedrive >= 2 {
		return "pipedrive"
	}
	best, most, tie := "", sure-1, false
	for _, name := range Presets {
		n := 0
		for _, s := range signatures[name] {
			if have[s] {
				n++
			}
		}
		if name == "espocrm" && camel < 2 { // its headings are firstName, assignedUserId
			n = 0
		}
		switch {
		case n > most:
			best, most, tie = name, n, false
		case n == most && n >= sure:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return best
}
