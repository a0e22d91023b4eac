package importing_test

import (
	"fmt"
	"strings"
	"testing"

	"crm/internal/record/importing"
)

// bankLike has the shape of the bank file: 20 features and an answer.
func bankLike() string {
	var b strings.Builder
	b.WriteString(`"age";"job";"marital";"education";"default";"housing";"loan";"contact";"month";"day_of_week";"duration";"campaign";"pdays";"previous";"poutcome";"emp.var.rate";"cons.price.idx";"cons.conf.idx";"euribor3m";"nr.employed";"y"` + "\r\n")
	for i := range 41188 {
		y := "no"
		if i < 4640 {
			y = "yes"
		}
		fmt.Fprintf(&b, "%d;\"services\";\"married\";\"basic.4y\";\"unknown\";\"unknown\";\"unknown\";\"telephone\";\"may\";\"mon\";%d;1;999;0;\"nonexistent\";1.1;93.994;-36.4;4.857;5191.5;\"%s\"\r\n", 20+i%60, i%900, y)
	}
	return b.String()
}

func bankOptions() importing.Options {
	return importing.Options{Object: "leads", CreateFields: true, Mapping: map[string]any{"y": map[string]any{"field": "status", "values": map[string]any{"yes": "converted", "no": "disqualified"}}}}
}

func TestBankFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	imp := w.importsFile(w.Admin, data(t, "bank/bank-additional-full.csv", bankLike), bankOptions())
	w.want(imp, "done read=41188 created=41188 updated=0 skipped=0 failed=0")
	t.Logf("%.0f rows/s", imp.Rate())
	if n := len(imp.CreatedFields()); n != 20 {
		t.Errorf("%d fields made: %v", n, imp.CreatedFields())
	}
	if n := w.count("leads where status = 'converted'"); n != 4640 {
		t.Errorf("%d converted", n)
	}
	types := strings.Join(w.column("select name || ':' || type from custom_fields order by name"), " ")
	if types != "age:integer campaign:integer cons_conf_idx:decimal cons_price_idx:decimal contact:text day_of_week:text default:text duration:integer education:text emp_var_rate:decimal euribor3m:decimal housing:text job:text loan:text marital:text month:text nr_employed:decimal pdays:integer poutcome:text previous:integer" {
		t.Errorf("types: %s", types)
	}
}

// salesFiles writes look-alikes of the four files of the crm-sales data, dirt included.
func salesLike(name string) func() string {
	return func() string {
		var b strings.Builder
		switch name {
		case "accounts":
			b.WriteString("account,sector,year_established,revenue,employees,office_location,subsidiary_of\n")
			for i := range 85 {
				parent := ""
				if i >= 69 && i < 84 {
					parent = "Company 84"
				}
				fmt.Fprintf(&b, "Company %d,technology,1996,1100.04,%d,Kenya,%s\n", i, 100+i, parent)
			}
		case "products":
			b.WriteString("product,series,sales_price\nGTX Basic,GTX,550\nGTX Pro,GTX,4821\nMG Special,MG,55\nMG Advanced,MG,3393\nGTX Plus Pro,GTX,5482\nGTX Plus Basic,GTX,1096\nGTK 500,GTK,26768\n")
		case "sales_teams":
			b.WriteString("sales_agent,manager,regional_office\n")
			for i := range 35 {
				fmt.Fprintf(&b, "Agent %d,Manager %d,%s\n", i, i%6, []string{"Central", "East", "West"}[i%3])
			}
		case "sales_pipeline":
			b.WriteString("opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n")
			for i := range 8800 {
				stage, engaged, closed, value, company := "Won", "2016-10-20", "2017-03-01", "1054", fmt.Sprintf("Company %d", i%85)
				switch {
				case i >= 8300:
					stage, engaged, closed, value = "Prospecting", "", "", ""
				case i >= 6711:
					stage, closed, value = "Engaging", "", ""
				case i >= 4238:
					stage, value = "Lost", "0"
				}
				if i >= 8800-1425 {
					company = ""
				}
				fmt.Fprintf(&b, "ID%06d,Agent %d,GTXPro,%s,%s,%s,%s,%s\n", i, i%35, company, stage, engaged, closed, value)
			}
		}
		return b.String()
	}
}

func TestSalesFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipeline("Prospecting", "Engaging", "Won", "Lost")
	file := func(object, name string, create bool) *importing.Import {
		return w.importsFile(w.Admin, data(t, "crm-sales/"+name+".csv", salesLike(name)), importing.Options{Object: object, CreateFields: create})
	}
	w.want(file("user", "sales_teams", false), "done read=35 created=35 updated=0 skipped=0 failed=0")
	if n := w.count("users u join roles r on r.id = u.role_id where r.key = 'sales_rep' and state = 'invited' and u.team_id is not null and u.manager_id is not null"); n != 35 {
		t.Errorf("%d reps with team and manager", n)
	}
	if n := w.count("users u join roles r on r.id = u.role_id where r.key = 'sales_manager'"); n != 6 {
		t.Errorf("%d managers made", n)
	}
	if n := w.count("teams where name in ('Central', 'East', 'West')"); n != 3 {
		t.Errorf("%d offices made", n)
	}
	w.want(file("accounts", "accounts", true), "done read=85 created=85 updated=0 skipped=0 failed=0")
	if n := w.count("accounts a join accounts p on p.id = a.parent_id where a.billing_address->>'country' <> '' and a.annual_revenue_currency = 'USD' and a.custom ? 'year_established'"); n != 15 {
		t.Errorf("%d subsidiaries", n)
	}
	w.want(file("products", "products", false), "done read=7 created=7 updated=0 skipped=0 failed=0")
	deals := file("deals", "sales_pipeline", false)
	w.want(deals, "done read=8800 created=8800 updated=0 skipped=0 failed=0")
	t.Logf("%.0f rows/s", deals.Rate())
	for where, n := range map[string]int64{
		"status = 'won' and closed_at is not null and amount > 0": 4238, "status = 'lost' and closed_at is not null": 2473, "status = 'open' and closed_at is null": 2089,
		"account_id is null": 1425, "product_id is null": 0, "owner_id is null": 0, "external_id is null": 0, "created_at < '2018-01-01'": 8300, "name = ''": 0,
	} {
		if got := w.count("deals where " + where); got != n {
			t.Errorf("%d deals where %s, want %d", got, where, n)
		}
	}
}

func TestSampleFilesOfOtherSystems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipeline("Qualification", "Won", "Lost")
	file := func(object, preset, name string, rows int) *importing.Import {
		path := data(t, "import-samples/"+name+".csv", func() string { return sampleLike(name, rows) })
		return w.importsFile(w.Admin, path, importing.Options{Object: object, Preset: preset, CreateFields: true})
	}
	w.want(file("accounts", "hubspot", "hubspot_companies", 200), "done read=200 created=200 updated=0 skipped=0 failed=0")
	contacts := file("contacts", "hubspot", "hubspot_contacts", 950)
	w.want(contacts, "done read=950 created=950 updated=0 skipped=0 failed=0")
	for _, where := range []string{"email is null", "external_id is null", "created_at > now() - interval '1 day'"} {
		if n := w.count("contacts where " + where); n != 0 {
			t.Errorf("%d contacts where %s", n, where)
		}
	}
	if n := w.count("contacts where account_id is not null"); n != 679 && n != 950 { // 271 of the real ones name no company
		t.Errorf("%d contacts have their company", n)
	}
	w.want(file("deals", "hubspot", "hubspot_deals", 500), "done read=500 created=500 updated=0 skipped=0 failed=0")
	if n := w.count("deals d join pipelines p on p.id = d.pipeline_id where p.name in ('Sales Pipeline', 'Renewals Pipeline')"); n != 500 {
		t.Errorf("%d deals are in the file's pipelines", n)
	}
	if open, closed := w.count("deals where status = 'open'"), w.count("deals where status <> 'open' and closed_at is not null"); open+closed != 500 || closed == 0 {
		t.Errorf("%d open, %d closed", open, closed)
	}
	w.want(file("leads", "salesforce", "salesforce_leads", 160), "done read=160 created=160 updated=0 skipped=0 failed=0")
}

func sampleLike(name string, rows int) string {
	var b strings.Builder
	heads := map[string]string{
		"hubspot_companies": "Company ID,Company Name,Company Domain Name,Industry,Number of Employees,Annual Revenue,Phone Number,Website,City,Country,Create Date,Company Owner",
		"hubspot_contacts":  "Contact ID,First Name,Last Name,Email,Phone Number,Lifecycle Stage,Lead Status,Create Date,Contact Owner,Associated Company Domain",
		"hubspot_deals":     "Deal ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Create Date,Deal Owner,Associated Company Domain,Associated Contact Email",
		"salesforce_leads":  "lead_id,first_name,last_name,email,company,title,created_date,lead_score,status,annual_revenue,stage",
	}
	b.WriteString(heads[name] + "\n")
	for i := range rows {
		switch name {
		case "hubspot_companies":
			fmt.Fprintf(&b, "COMP-%d,Company %d,c%d.net,Technology,12,873607.15,831.605.2433x72946,https://c%d.net,Berlin,Germany,2024-01-02,dwight@example.com\n", i, i, i, i)
		case "hubspot_contacts":
			fmt.Fprintf(&b, "CONT-%d,Ann,Smith %d,ann%d@example.net,416-810-9897x752,Other,In Progress,2024-08-18,dwight@example.com,c%d.net\n", i, i, i, i%200)
		case "hubspot_deals":
			fmt.Fprintf(&b, "DEAL-%d,Deal %d,%s,%s,210833.37,2025-06-17,2023-03-29,dwight@example.com,c%d.net,ann%d@example.net\n", i, i, []string{"Contract Sent", "Closed Won", "Closed Lost"}[i%3], []string{"Sales Pipeline", "Renewals Pipeline"}[i%2], i%200, i)
		default:
			fmt.Fprintf(&b, "SF%03d,John,Smith %d,john%d@techcorp.com,TechCorp Inc,VP Engineering,2024-01-15,85,Converted,5000000,Closed Won\n", i, i, i)
		}
	}
	return b.String()
}
