package importing

import (
	"slices"
	"strings"

	"crm/internal/platform/errs"
)

// Presets are the systems whose export headings are known. A preset makes all of
// its headings guesses (see the package comment) and adds its own spellings.
var Presets = []string{"hubspot", "salesforce", "pipedrive", "twenty", "espocrm"}

func checkPreset(name string) error {
	if name == "" || slices.Contains(Presets, name) {
		return nil
	}
	return errs.Field("preset", "unknown_preset", "There is no preset %q; the presets are %s.", name, strings.Join(Presets, ", "))
}

// synonyms maps squeezed headings to the fields they may mean, best first: the first
// one the object has is taken. "user:salesagent" holds for one object only.
var synonyms = buildSynonyms()

func buildSynonyms() map[string][]string {
	out := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(synonymTable), "\n") {
		fields, heads, _ := strings.Cut(line, ":")
		for _, h := range strings.Fields(heads) {
			out[strings.ReplaceAll(h, "/", ":")] = strings.Fields(fields)
		}
	}
	addAddresses(out)
	return out
}

// synonymTable: fields to try, then the headings. A heading with object/ before it
// holds for that object only.
const synonymTable = `
external_id: externalid recordid sourceid legacyid contact/contactid contact/personid account/companyid account/accountid account/organizationid lead/leadid deal/dealid deal/opportunityid product/productid user/userid activity/activityid opportunityid systemid pipedrivesystemid
first_name: firstname givenname forename vorname namefirstname firstnamename
last_name: lastname surname familyname nachname namelastname lastnamename
name: fullname contactname personname displayname name dealname opportunityname dealtitle deal/title deal/opportunity productname product/product account/companyname account/companytitle account/businessname account/company account/account account/organization account/organizationname account/accountname user/salesagent user/agent user/user campaignname
email emails[work]: emailaddress mail primaryemail emailsprimaryemail emailprimary email1
email emails[work]: workemail emailwork businessemail
emails[home] email: homeemail emailhome personalemail privateemail
emails[other]: otheremail emailother secondaryemail email2
phone phones[work]: phonenumber telephone tel phoneno workphone phonework businessphone companyphone phonesprimaryphonenumber phone1 telefon
phones[mobile] phone: mobilephone mobilephonenumber mobile cell cellphone mobilenumber phonemobile mobileno
phones[home] phone: homephone phonehome
phones[other]: otherphone phoneother phone2
title: jobtitle position jobposition function
account company: companyname company organisation organization organizationname organisationname employer account accountname associatedcompany associatedcompanyprimary associatedcompanyname primarycompany
account: associatedcompanyids associatedcompanyidsprimary associatedcompanyid associatedcompanydomain accountid companyid organizationid customer
contact: associatedcontact associatedcontactids associatedcontactemail contactperson contactpersonid contactid pointofcontact primarycontact
owner: contactowner companyowner dealowner leadowner accountowner opportunityowner ownerid ownername owneremail assigneduser assignedusername assigneduserid assignedto assignedtouser recordowner salesrep salesagent salesperson salesowner accountexecutive responsible
team: regionaloffice user/office user/region user/department teamname
manager: managername reportsto supervisor
role: rolename userrole
created_at: createdate createddate created createdat creationdate createdon createtime datecreated dateadded addedon dealcreated personcreated organizationcreated leadcreated engagedate signupdate registrationdate
converted_at: converteddate conversiondate
last_contacted_at: lastcontacted lastcontactdate
lifecycle: lifecyclestage
status: leadstatus lead/stage
source: leadsource originalsource sourceorigin sourcechannel channel acquisitionchannel
website: websiteurl web url homepage webpage
domain: companydomainname companydomain domainname domainnamedomainurl domainnameprimarylinkurl emaildomain
industry: sector branch
employees: numberofemployees noofemployees employeecount headcount companysize staff
annual_revenue: annualrevenue revenue turnover annualrecurringrevenueamount arr
parent: parentcompany parentaccount parentid parentname parentcompanyname parentaccountname subsidiaryof
stage: dealstage stagename pipelinestage stagestage
pipeline: pipelinename dealpipeline
amount: dealvalue value closevalue dealamount opportunityamount opportunityvalue amountamount contractvalue
amount.currency annual_revenue.currency price.currency: currency currencyofvalue amountcurrency currencyisocode currencycode dealcurrency opportunityamountcurrency
probability: dealprobability winprobability
close_date: closedate closingdate
expected_close_date: expectedclosedate forecastclosedate
closed_at: wontime losttime dealclosedon closedon closedat closeddate actualclosedate
lost_reason: closedlostreason lostreason lossreason reasonlost
forecast_category: forecastcategoryname
product name: product productname
price: salesprice unitprice listprice
code: productcode sku articlenumber
family: series productfamily productline category
active: isactive
tags: labels label tag
do_not_contact: hasoptedoutofemail emailoptout donotcall optout
description: notes comment comments remarks
subject: activitysubject tasksubject
due_at: duedate dueon deadline
body: notecontent note content
language: preferredlanguage locale
`

// addAddresses adds the parts of addresses under every prefix in use.
func addAddresses(out map[string][]string) {
	spellings := map[string][]string{
		"street":      {"street", "streetaddress", "address1", "line1", "addressline1", "streetname"},
		"city":        {"city", "town"},
		"region":      {"state", "region", "stateregion", "province", "county", "stateprovince"},
		"postal_code": {"postalcode", "postcode", "zip", "zipcode", "zippostalcode"},
		"country":     {"country", "countryregion"},
	}
	for prefix, fields := range map[string][]string{
		"": {"address", "billing_address"}, "address": {"address", "billing_address"}, "mailing": {"address"}, "primaryaddress": {"address", "billing_address"},
		"billing": {"billing_address", "address"}, "billingaddress": {"billing_address", "address"}, "shipping": {"shipping_address"}, "shippingaddress": {"shipping_address"},
	} {
		for part, heads := range spellings {
			for _, h := range heads {
				for _, f := range fields {
					out[prefix+h] = append(out[prefix+h], f+"."+part)
				}
			}
		}
	}
	out["officelocation"] = []string{"billing_address.country"}
	out["address"] = []string{"address.street", "billing_address.street"}
}

// amountsIn are headings whose file is known to be in one currency: the public
// crm-sales data counts revenue in (millions of) dollars.
var amountsIn = map[string]string{"account:revenue": "USD"}

// pipedriveEntities are the words before " - " in Pipedrive's headings.
var pipedriveEntities = map[string]string{"person": "contact", "organization": "account", "deal": "deal", "lead": "lead", "activity": "activity", "product": "product", "note": "note"}

// candidates are the fields a heading may mean on an object, best first.
func candidates(object, heading string) []string {
	if entity, rest, ok := strings.Cut(heading, " - "); ok {
		if other := pipedriveEntities[strings.ToLower(strings.TrimSpace(entity))]; other != "" {
			return ofEntity(object, other, rest)
		}
	}
	key := squeeze(heading)
	return append(slices.Clone(synonyms[object+":"+key]), synonyms[key]...)
}

// ofEntity reads "Deal - Title" on a deal as Title, and "Organization - Name" on a
// deal as the deal's organization.
func ofEntity(object, entity, rest string) []string {
	key := squeeze(rest)
	if entity != object {
		if key == "name" || key == "id" || (entity == "deal" && key == "title") {
			return []string{entity}
		}
		var out []string
		for _, name := range candidates(entity, rest) {
			out = append(out, entity+"."+name) // a companion's field
		}
		return append(out, entity+"."+strings.ReplaceAll(strings.ToLower(strings.TrimSpace(rest)), " ", "_"))
	}
	if key == "id" {
		return []string{"external_id"}
	}
	if i := strings.Index(strings.ToLower(rest), " of address"); i >= 0 {
		key = squeeze(rest[:i])
	}
	own := append(slices.Clone(synonyms[object+":"+key]), synonyms[key]...)
	return append(own, strings.ReplaceAll(strings.ToLower(strings.TrimSpace(rest)), " ", "_"))
}
