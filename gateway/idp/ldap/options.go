package ldap

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// options of LDAPIdentityProvider. The first block is KubeSphere's, the second ours.
type options struct {
	Host                 string       `json:"host"`
	StartTLS             bool         `json:"startTLS"`
	InsecureSkipVerify   bool         `json:"insecureSkipVerify"`
	RootCA               string       `json:"rootCA"`
	RootCAData           string       `json:"rootCAData"`
	ReadTimeout          milliseconds `json:"readTimeout"`
	ManagerDN            string       `json:"managerDN"`
	ManagerPassword      string       `json:"managerPassword"`
	UserSearchBase       string       `json:"userSearchBase"`
	UserSearchFilter     string       `json:"userSearchFilter"`
	LoginAttribute       string       `json:"loginAttribute"`
	MailAttribute        string       `json:"mailAttribute"`
	UserMemberAttribute  string       `json:"userMemberAttribute"`
	GroupSearchBase      string       `json:"groupSearchBase"`
	GroupSearchFilter    string       `json:"groupSearchFilter"`
	GroupMemberAttribute string       `json:"groupMemberAttribute"`

	UIDAttribute         string `json:"uidAttribute"`
	DisplayNameAttribute string `json:"displayNameAttribute"`
	MaxConnections       int    `json:"maxConnections"`
}

// Defaults.
const (
	readTimeout    = 15 * time.Second // of one login, as upstream of one answer
	maxConnections = 8
)

// milliseconds is a number of them, as upstream has it, or a duration as text.
type milliseconds time.Duration

func (m *milliseconds) UnmarshalJSON(raw []byte) error {
	var n int64
	if json.Unmarshal(raw, &n) == nil {
		*m = milliseconds(time.Duration(n) * time.Millisecond)
		return nil
	}
	d, err := time.ParseDuration(strings.Trim(string(raw), `"`))
	if err != nil {
		return fmt.Errorf("cannot parse %s as milliseconds or duration (for example 15000, 15s)", raw)
	}
	*m = milliseconds(d)
	return nil
}

// decode reads options and says what is wrong with them.
func decode(raw json.RawMessage) (*options, error) {
	o := &options{DisplayNameAttribute: "displayName", MaxConnections: maxConnections}
	if err := idp.Decode(raw, o); err != nil {
		return nil, err
	}
	if err := idp.Required("host", o.Host, "userSearchBase", o.UserSearchBase, "loginAttribute", o.LoginAttribute); err != nil {
		return nil, err
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = milliseconds(readTimeout)
	}
	if o.MaxConnections < 1 || o.MaxConnections > 1000 {
		return nil, idp.Wrong("maxConnections", "want 1 to 1000, have %d", o.MaxConnections)
	}
	if o.ManagerDN != "" && o.ManagerPassword == "" {
		return nil, idp.Wrong("managerPassword", "is required with managerDN: a directory takes an empty one for nobody's")
	}
	if (o.GroupSearchBase == "") != (o.GroupMemberAttribute == "") {
		return nil, idp.Wrong("groupSearchBase", "needs groupMemberAttribute, and the other way round")
	}
	return o, o.checkFilters()
}

func (o *options) checkFilters() error {
	for key, filter := range map[string]*string{"userSearchFilter": &o.UserSearchFilter, "groupSearchFilter": &o.GroupSearchFilter} {
		if *filter != "" && !strings.HasPrefix(*filter, "(") {
			*filter = "(" + *filter + ")"
		}
		if _, err := ldap.CompileFilter(*filter); *filter != "" && err != nil {
			return idp.Wrong(key, "cannot parse as filter: %w", err)
		}
	}
	for key, attribute := range map[string]string{
		"loginAttribute": o.LoginAttribute, "groupMemberAttribute": o.GroupMemberAttribute, "mailAttribute": o.MailAttribute,
		"uidAttribute": o.UIDAttribute, "userMemberAttribute": o.UserMemberAttribute, "displayNameAttribute": o.DisplayNameAttribute,
	} {
		if strings.ContainsAny(attribute, "()=&|!*\\, \x00") {
			return idp.Wrong(key, "want the name of an attribute, have %q", attribute)
		}
	}
	return nil
}

// server is where the directory is and how to speak to it.
type server struct {
	address string      // host:port
	tls     *tls.Config // nil: not at all
	start   bool        // StartTLS, instead of TLS from the first byte
}

// server reads host: host, host:port, ldap://… or ldaps://…. Port 636 is TLS from the first byte: with startTLS upstream does
// that on every port.
func (o *options) server() (server, error) {
	scheme, host, ok := strings.Cut(o.Host, "://")
	if !ok {
		scheme, host = "ldap", o.Host
	}
	host = strings.TrimSuffix(host, "/")
	if scheme != "ldap" && scheme != "ldaps" || host == "" || strings.ContainsAny(host, "/@ ") {
		return server{}, idp.Wrong("host", "want host, host:port, ldap://… or ldaps://…, have %q", o.Host)
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), "389"
		if scheme == "ldaps" {
			port = "636"
		}
	}
	s := server{address: net.JoinHostPort(name, port)}
	direct := scheme == "ldaps" || port == "636"
	if !direct && !o.StartTLS {
		return s, nil
	}
	s.start = !direct
	s.tls, err = outbound.TLS(outbound.Trust{RootCA: o.RootCA, RootCAData: o.RootCAData, InsecureSkipVerify: o.InsecureSkipVerify})
	if err == nil {
		s.tls.ServerName = name
	}
	return s, err
}
