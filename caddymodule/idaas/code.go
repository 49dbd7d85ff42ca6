package idaas

import "net/http"

// code is a row of the code table.
type code int

// The codes, in the order of the table.
const (
	deviceIncomplete code = iota
	clientEmpty
	clientUnknown
	stateMissing
	stateInvalid
	idTokenInvalid
	sessionInvalid
	accessTokenEmpty
	openIDEmpty
	contactMalformed
	ticketInvalid
	fieldEmpty

	captchaFailed
	passExpired
	passInvalid
	sendFailed
	codeWrong

	userUnknown
	userDisabled
	taken
	lastWay
	notAllowed
	loginStale
	tooManyAttempts

	qqToken
	qqApp
	qqOpenID
	qqConfig
	qqUnavailable

	malformedBody
	duplicateKey
	wrongType
	nameRefused
	bodyTooLarge
	notJSON
	wrongMethod
	unknownPath

	systemUnavailable
	systemFault

	bearerInvalid
	requestInvalid
	clientInvalid
	grantUnsupported
)

// texts are a message in the languages of the API.
type texts [2]string

// codes is the code table: what the wire calls a fault, its HTTP status and its
// texts. The texts of PARAM.0001 to .0003, .0024, .0025, USER.0001, .0039 and COM
// are the vendor's to the letter, and so are the English ones of COMMON,
// PARAM.0014, .0016, .0023, CAPTCHA.0002, .0006 and .0007 and the Chinese ones of
// CAPTCHA.0003 and .0004. {0} stands for the field that is meant.
var codes = [...]struct {
	wire   string
	status int
	texts  texts
	// oauth marks the faults of RFC 6749 and 6750, which have a body of their
	// own and, since that is ASCII, no Chinese.
	oauth bool
}{
	deviceIncomplete: {wire: "IDAAS.SDK.PARAM.0001", status: http.StatusBadRequest, texts: texts{zh: "设备信息不完整", en: "Device information is incomplete"}},
	clientEmpty:      {wire: "IDAAS.SDK.PARAM.0002", status: http.StatusBadRequest, texts: texts{zh: "clientId不能为空", en: "clientId cannot be empty"}},
	clientUnknown:    {wire: "IDAAS.SDK.PARAM.0003", status: http.StatusBadRequest, texts: texts{zh: "应用未注册,请先注册应用", en: "The app is not registered, please register the app first"}},
	stateMissing:     {wire: "IDAAS.SDK.COMMON.1007", status: http.StatusBadRequest, texts: texts{zh: "state_token参数错误", en: "state_token parameter error"}},
	stateInvalid:     {wire: "IDAAS.SDK.PARAM.0014", status: http.StatusBadRequest, texts: texts{zh: "状态令牌无效或已过期", en: "Invalid state token"}},
	idTokenInvalid:   {wire: "IDAAS.SDK.PARAM.0016", status: http.StatusBadRequest, texts: texts{zh: "身份令牌无效或已过期", en: "IdToken is invalid or expired"}},
	sessionInvalid:   {wire: "IDAAS.SDK.PARAM.0023", status: http.StatusBadRequest, texts: texts{zh: "会话令牌无效或已过期", en: "Invalid or expired session token"}},
	accessTokenEmpty: {wire: "IDAAS.SDK.PARAM.0024", status: http.StatusBadRequest, texts: texts{zh: "QQ授权令牌不能为空", en: "QQ access token cannot be empty"}},
	openIDEmpty:      {wire: "IDAAS.SDK.PARAM.0025", status: http.StatusBadRequest, texts: texts{zh: "QQ用户标识ID不能为空", en: "QQ open ID cannot be empty"}},
	contactMalformed: {wire: "IDAAS.SDK.PARAM.0026", status: http.StatusBadRequest, texts: texts{zh: "手机号或邮箱格式错误", en: "The mobile number or e-mail address is malformed"}},
	ticketInvalid:    {wire: "IDAAS.SDK.PARAM.0032", status: http.StatusBadRequest, texts: texts{zh: "一次性令牌无效或已过期", en: "SSO ticket invalid or expired"}},
	fieldEmpty:       {wire: "IDAAS.SDK.PARAM.0099", status: http.StatusBadRequest, texts: texts{zh: "{0}不能为空", en: "{0} cannot be empty"}},

	captchaFailed: {wire: "IDAAS.SDK.CAPTCHA.0002", status: http.StatusBadRequest, texts: texts{zh: "图形验证码校验失败", en: "Graphic verification code verification failed"}},
	passExpired:   {wire: "IDAAS.SDK.CAPTCHA.0003", status: http.StatusBadRequest, texts: texts{zh: "图形验证码校验通过令牌已失效", en: "CAPTCHA token expired"}},
	passInvalid:   {wire: "IDAAS.SDK.CAPTCHA.0004", status: http.StatusBadRequest, texts: texts{zh: "图形验证码校验通过令牌校验失败", en: "Invalid CAPTCHA token"}},
	sendFailed:    {wire: "IDAAS.SDK.CAPTCHA.0006", status: http.StatusBadRequest, texts: texts{zh: "验证码发送失败", en: "Failed to send verification code"}},
	codeWrong:     {wire: "IDAAS.SDK.CAPTCHA.0007", status: http.StatusBadRequest, texts: texts{zh: "验证码错误", en: "Incorrect verification code"}},

	userUnknown:     {wire: "IDAAS.SDK.USER.0001", status: http.StatusBadRequest, texts: texts{zh: "用户未找到", en: "User not found"}},
	userDisabled:    {wire: "IDAAS.SDK.USER.0039", status: http.StatusBadRequest, texts: texts{zh: "用户已被禁用", en: "User is disabled"}},
	taken:           {wire: "IDAAS.SDK.USER.0101", status: http.StatusBadRequest, texts: texts{zh: "该手机号、邮箱或QQ账号已属于其他用户", en: "The mobile number, e-mail address or QQ account belongs to another user"}},
	lastWay:         {wire: "IDAAS.SDK.USER.0102", status: http.StatusBadRequest, texts: texts{zh: "不能移除最后一种登录方式", en: "The last way to log in cannot be removed"}},
	notAllowed:      {wire: "IDAAS.SDK.AUTH.0001", status: http.StatusForbidden, texts: texts{zh: "无权执行此操作", en: "Not allowed"}},
	loginStale:      {wire: "IDAAS.SDK.AUTH.0002", status: http.StatusBadRequest, texts: texts{zh: "请重新登录后再试", en: "Please log in again first"}},
	tooManyAttempts: {wire: "IDAAS.SDK.LIMIT.0001", status: http.StatusTooManyRequests, texts: texts{zh: "尝试次数过多,请稍后再试", en: "Too many attempts, please try again later"}},

	qqToken:       {wire: "IDAAS.SDK.QQ.0001", status: http.StatusBadRequest, texts: texts{zh: "QQ授权令牌无效或已过期,请重新授权", en: "QQ access token is invalid or expired, please authorize again"}},
	qqApp:         {wire: "IDAAS.SDK.QQ.0002", status: http.StatusBadRequest, texts: texts{zh: "QQ授权令牌属于其他应用", en: "QQ access token belongs to another application"}},
	qqOpenID:      {wire: "IDAAS.SDK.QQ.0003", status: http.StatusBadRequest, texts: texts{zh: "QQ用户标识ID与QQ授权令牌不匹配", en: "QQ open ID does not match the QQ access token"}},
	qqConfig:      {wire: "IDAAS.SDK.QQ.0004", status: http.StatusBadGateway, texts: texts{zh: "QQ应用配置错误,请联系管理员", en: "The QQ application is misconfigured, please contact the administrator"}},
	qqUnavailable: {wire: "IDAAS.SDK.QQ.0005", status: http.StatusServiceUnavailable, texts: texts{zh: "QQ暂时不可用,请稍后再试", en: "QQ is unavailable, please try again later"}},

	malformedBody: {wire: "IDAAS.SDK.REQ.0001", status: http.StatusBadRequest, texts: texts{zh: "请求体不是一个JSON对象", en: "The request body is not one JSON object"}},
	duplicateKey:  {wire: "IDAAS.SDK.REQ.0001", status: http.StatusBadRequest, texts: texts{zh: "请求体含有重复的键", en: "The request body has a duplicate key"}},
	wrongType:     {wire: "IDAAS.SDK.REQ.0001", status: http.StatusBadRequest, texts: texts{zh: "请求体中值的类型错误", en: "The request body has a value of the wrong type"}},
	nameRefused:   {wire: "IDAAS.SDK.REQ.0001", status: http.StatusBadRequest, texts: texts{zh: "名称过长或含有控制字符", en: "The name is too long or contains control characters"}},
	bodyTooLarge:  {wire: "IDAAS.SDK.REQ.0002", status: http.StatusRequestEntityTooLarge, texts: texts{zh: "请求体超过64KiB", en: "The request body exceeds 64 KiB"}},
	notJSON:       {wire: "IDAAS.SDK.REQ.0003", status: http.StatusUnsupportedMediaType, texts: texts{zh: "请求体的类型必须是application/json", en: "The content type must be application/json"}},
	wrongMethod:   {wire: "IDAAS.SDK.REQ.0004", status: http.StatusMethodNotAllowed, texts: texts{zh: "不支持该请求方法", en: "Method not allowed"}},
	unknownPath:   {wire: "IDAAS.SDK.REQ.0005", status: http.StatusNotFound, texts: texts{zh: "接口不存在", en: "No such API"}},

	systemUnavailable: {wire: "IDAAS.SDK.COM.0002", status: http.StatusServiceUnavailable, texts: texts{zh: "系统繁忙,请稍后再试", en: "System busy, please try again later"}},
	systemFault:       {wire: "IDAAS.SDK.COM.0002", status: http.StatusInternalServerError, texts: texts{zh: "系统繁忙,请稍后再试", en: "System busy, please try again later"}},

	// The vendor answers a bad bearer with 400, where RFC 6750 has 401.
	bearerInvalid:    {wire: "invalid_token", status: http.StatusBadRequest, texts: texts{en: "Invalid access"}, oauth: true},
	requestInvalid:   {wire: "invalid_request", status: http.StatusBadRequest, texts: texts{en: "A parameter is missing, repeated or malformed"}, oauth: true},
	clientInvalid:    {wire: "invalid_client", status: http.StatusUnauthorized, texts: texts{en: "Client authentication failed"}, oauth: true},
	grantUnsupported: {wire: "unsupported_grant_type", status: http.StatusBadRequest, texts: texts{en: "The grant type must be client_credentials"}, oauth: true},
}
