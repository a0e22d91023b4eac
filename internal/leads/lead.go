package leads

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// States of a lead.
const (
	StatusNew          = "new"
	StatusWorking      = "working"
	StatusNurturing    = "nurturing"
	StatusQualified    = "qualified"
	StatusDisqualified = "disqualified"
	StatusConverted    = "converted"
)

// Lead is somebody who may become a customer. Score is 0 to 100, ScoreProbability
// 0 to 1; both and the reasons are written by the scoring context. UTM holds
// source, medium, campaign, term and content of the visit that brought the lead;
// Consent what was agreed to, when, and from which address.
type Lead struct {
	record.Base
	FirstName          string     `crm:"first_name,text,search,title" label:"First name"`
	LastName           string     `crm:"last_name,text,search,title" label:"Last name"`
	Email              string     `crm:"email,email,search" label:"E-mail"`
	Phone              string     `crm:"phone,phone,search"`
	Company            string     `crm:"company,text,search"`
	Title              string     `crm:"title,text" label:"Job title"`
	Website            string     `crm:"website,url"`
	Industry           string     `crm:"industry,text"`
	Employees          *int64     `crm:"employees,integer"`
	Source             string     `crm:"source,text"`
	Status             string     `crm:"status,select,options=new:accent|working|nurturing:warn|qualified:good|disqualified:bad|converted:good,default=new"`
	DisqualifyReason   string     `crm:"disqualify_reason,text" label:"Why disqualified"`
	Message            string     `crm:"message,long_text"`
	UTM                any        `crm:"utm,json" label:"UTM"`
	Referrer           string     `crm:"referrer,long_text"`
	LandingPage        string     `crm:"landing_page,long_text" label:"Landing page"`
	FormID             *uuid.UUID `crm:"form_id,relation,readonly,target=lead_form" label:"Form"`
	Consent            any        `crm:"consent,json,readonly"`
	Score              *int64     `crm:"score,integer,readonly"`
	ScoreGrade         string     `crm:"score_grade,text,readonly" label:"Grade"`
	ScoreProbability   *float64   `crm:"score_probability,decimal,readonly" label:"Probability"`
	ScoreModelID       *uuid.UUID `crm:"score_model_id,relation,readonly,target=scoring_model" label:"Scoring model"`
	ScoreReasons       any        `crm:"score_reasons,json,readonly" label:"Reasons for the score"`
	ScoredAt           *time.Time `crm:"scored_at,datetime,readonly" label:"Scored"`
	FirstResponseAt    *time.Time `crm:"first_response_at,datetime,readonly,history" label:"First response"`
	ConvertedAt        *time.Time `crm:"converted_at,datetime,readonly,history" label:"Converted"`
	ConvertedContactID *uuid.UUID `crm:"converted_contact_id,relation,readonly,target=contact" label:"Converted contact"`
	ConvertedAccountID *uuid.UUID `crm:"converted_account_id,relation,readonly,target=account" label:"Converted company"`
	ConvertedDealID    *uuid.UUID `crm:"converted_deal_id,relation,readonly,target=deal" label:"Converted deal"`
}

// Name is what people call the lead; "" for one without any name or address.
func (l *Lead) Name() string {
	name := strings.TrimSpace(l.FirstName + " " + l.LastName)
	for _, other := range []string{l.Email, l.Company, l.Phone, l.ExternalID} {
		if name == "" {
			name = other
		}
	}
	return name
}

// identified reports whether somebody could tell this lead from another.
func (l *Lead) identified() bool { return l.Name() != "" || l.Website != "" }

// hasRecords reports whether the lead was converted here: an imported conversion
// has no records behind it.
func (l *Lead) hasRecords() bool {
	return l.ConvertedContactID != nil || l.ConvertedAccountID != nil || l.ConvertedDealID != nil
}

func (s *Service) registerLeads(k *record.Kernel) (err error) {
	s.Leads, err = record.Register[Lead](k, record.Definition{
		Name: "lead", Plural: "leads", Label: "Lead", LabelPlural: "Leads", Owned: true,
		ListFields: []string{"first_name", "last_name", "company", "email", "status", "score", "source", "owner_id", "created_at"},
		Match:      leadKeys,
	}, record.HooksFor[Lead]{Before: s.beforeLeads, Refs: leadRefs})
	if err != nil {
		return err
	}
	// Still start-up: nothing has read the field yet.
	status, _ := s.Leads.Def.Field("status")
	status.Type = statusType{status.Type}
	return nil
}

func (s *Service) beforeLeads(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Lead]) error {
	if record.Undoing(ctx) {
		return nil
	}
	imported := auth.From(ctx).Via == auth.ViaImport
	for _, c := range changes {
		o := origin{act: c.Action, imported: imported, now: s.now().UTC().Truncate(time.Microsecond)}
		if err := prepare(c.Old, c.New, o); err != nil {
			return err
		}
	}
	return nil
}

// leadRefs shows a conversion on the timelines of what it made.
func leadRefs(l *Lead) []uuid.UUID {
	var out []uuid.UUID
	for _, id := range []*uuid.UUID{l.ConvertedContactID, l.ConvertedAccountID, l.ConvertedDealID} {
		if id != nil {
			out = append(out, *id)
		}
	}
	return out
}
