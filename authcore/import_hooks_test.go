package authcore

// How the store knows what came in.
var (
	UserNameHandle = userNameHandle
	DeviceHandle   = deviceHandle
)
