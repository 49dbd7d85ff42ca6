package qqtest

// Grade says how an answer is known.
type Grade string

// The grades, best first.
const (
	Documented Grade = "DOC"       // stands on a page of Tencent's
	Observed   Grade = "OBS"       // was pasted by someone who received it
	Inferred   Grade = "INF"       // its number is known; text or trigger are concluded
	NotFound   Grade = "NOT FOUND" // nobody says; it is a guess
)

// Row names a failure that the simulator answers with.
type Row string

// The failures of authorize (A), token (T), me (M) and get_user_info (U).
const (
	A3          Row = "A3"           // client_id is missing or unknown
	A4          Row = "A4"           // redirect_uri is not registered, or it or state has over 500 bytes
	AResponse   Row = "A response"   // response_type is not "code"
	AUnreviewed Row = "A unreviewed" // the application is not online and the account is not its developer's
	T3          Row = "T3"           // client_id is missing
	T3Unknown   Row = "T3 unknown"   // client_id names no application
	T4          Row = "T4"           // grant_type is none of the two
	T5          Row = "T5"           // client_secret is wrong
	T6          Row = "T6"           // redirect_uri is not the one of authorize
	T7          Row = "T7"           // the code is unknown or another application's
	T7Expired   Row = "T7 expired"   // the code is older than 10 minutes
	T8          Row = "T8"           // the code was used
	T9          Row = "T9"           // the refresh token is unknown or was used
	T10Secret   Row = "T10 secret"   // client_secret is missing
	T10Code     Row = "T10 code"     // code is missing
	T10Refresh  Row = "T10 refresh"  // refresh_token is missing
	M3          Row = "M3"           // unionid=1 without the grant
	M4          Row = "M4"           // access_token is missing
	M5          Row = "M5"           // access_token is garbage, or a code
	M6          Row = "M6"           // access_token has expired
	M7          Row = "M7"           // access_token was revoked by its user
	U2          Row = "U2"           // openid is malformed
	U3          Row = "U3"           // openid is well-formed and not the token's
	U4          Row = "U4"           // access_token is bad
	U5          Row = "U5"           // oauth_consumer_key is missing or unknown
	U6          Row = "U6"           // access_token is another application's
	U7          Row = "U7"           // not logged in
	U8          Row = "U8"           // scope not granted
	U9          Row = "U9"           // QQ's own backend fails
)

// Failure is an error of QQ's: a number, and a text that clients must not read.
type Failure struct {
	Number int
	Text   string
}

// rows is the table of failures, to the letter: the space at the end of some
// texts is QQ's.
var rows = map[Row]struct {
	Failure
	Grade
}{
	A3:          {Failure{100001, "param client_id is wrong or lost "}, Observed},
	A4:          {Failure{100010, "redirect uri is illegal"}, Observed},
	AResponse:   {Failure{100000, "param response_type is wrong or lost "}, Inferred},
	AUnreviewed: {Failure{100011, "app is not online"}, Inferred},
	T3:          {Failure{100001, "param client_id is wrong or lost "}, Observed},
	T3Unknown:   {Failure{100008, "client request's app is not existed"}, NotFound},
	T4:          {Failure{100004, "param grant_type is wrong or lost "}, Observed},
	T5:          {Failure{100009, "client secret is illegal"}, Observed},
	T6:          {Failure{100010, "redirect uri is illegal"}, Observed},
	T7:          {Failure{100019, "code to access token error"}, Observed},
	T7Expired:   {Failure{100019, "code to access token error"}, Inferred},
	T8:          {Failure{100020, "code is reused error"}, Observed},
	T9:          {Failure{100021, "get access token error"}, Observed},
	T10Secret:   {Failure{100002, "param client_secret is wrong or lost "}, Inferred},
	T10Code:     {Failure{100005, "param code is wrong or lost "}, Inferred},
	T10Refresh:  {Failure{100006, "param refresh_token is wrong or lost "}, Inferred},
	M3:          {Failure{100048, "CompanyID not set"}, Observed},
	M4:          {Failure{100007, "param access token is wrong or lost "}, Observed},
	M5:          {Failure{100013, "access token is illegal"}, Observed},
	M6:          {Failure{100016, "access token check failed"}, Observed},
	M7:          {Failure{100015, "access token is revoked"}, Inferred}, // 100013 by the current wording of the page
	U2:          {Failure{-1, "client request's parameters are invalid, invalid openid"}, Observed},
	U3:          {Failure{-22, "openid is invalid"}, Inferred},
	U4:          {Failure{-23, "token is invalid"}, Observed},
	U5:          {Failure{100008, "client request's app is not existed"}, Observed},
	U6:          {Failure{-23, "token is invalid"}, NotFound}, // as likely -71, 100013 or -1
	U7:          {Failure{1002, "请先登录"}, Documented},
	U8:          {Failure{100030, "this api without user authorization"}, Inferred},
	U9:          {Failure{13002, "get qq info err"}, Observed},
}

// Graded returns how the failure of a row is known.
func (r Row) Graded() Grade { return rows[r].Grade }

// replaceable reports whether a row rests on less than a page or a paste.
func (r Row) replaceable() bool {
	g := r.Graded()
	return g == Inferred || g == NotFound
}
