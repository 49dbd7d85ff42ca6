package authcore

// LinkFlags are what a game may ask of a login with QQ, in GameSparks' words.
type LinkFlags struct {
	DoNotLink        bool // doNotLinkToCurrentPlayer: make a new user instead
	ErrorOnSwitch    bool // errorOnSwitch: refuse to become another user
	SwitchIfPossible bool // switchIfPossible: even if the player has another QQ account
	DoNotCreate      bool // doNotCreateNewPlayer
}

// linkCase is what the linking decision rests on.
type linkCase struct {
	current UserID // who is signed in, empty if nobody
	otherQQ bool   // current has another QQ account in this application
	owner   UserID // whom the QQ account belongs to, empty if nobody
}

// linkAction is what becomes of a login with QQ at a game.
type linkAction string

const (
	linkLogin  linkAction = "login"  // as the owner; nobody was signed in
	linkSame   linkAction = "same"   // as the owner, who is signed in
	linkSwitch linkAction = "switch" // as the owner; the player who was signed in is left
	linkLink   linkAction = "link"   // to the player who is signed in
	linkCreate linkAction = "create" // a user; a player who was signed in is left
	linkRefuse linkAction = "refuse"
)

// linkDecision is an action and, for linkRefuse, why.
type linkDecision struct {
	action  linkAction
	refused Refusal
	// summary says that the game is told who the owner is.
	summary bool
}

// decideLink is the linking decision: GameSparks' QQConnectRequest with the reading
// of its pages under which none contradicts another. The flags do not say all:
// known accounts switch without switchIfPossible, which matters only to a player
// who has another QQ account, and errorOnSwitch stops no creation.
func decideLink(c linkCase, f LinkFlags) linkDecision {
	switch {
	case c.owner != "" && c.current == "":
		return linkDecision{action: linkLogin}
	case c.owner != "" && c.current == c.owner:
		return linkDecision{action: linkSame}
	case c.owner != "" && c.otherQQ && !f.SwitchIfPossible && !f.DoNotLink:
		return linkDecision{linkRefuse, RefusedLinked, f.ErrorOnSwitch}
	case c.owner != "" && f.ErrorOnSwitch:
		return linkDecision{linkRefuse, RefusedSwitch, true}
	case c.owner != "":
		return linkDecision{action: linkSwitch}
	case (c.current == "" || f.DoNotLink) && f.DoNotCreate:
		return linkDecision{action: linkRefuse, refused: RefusedCreation}
	case c.current == "" || f.DoNotLink:
		return linkDecision{action: linkCreate}
	case c.otherQQ:
		return linkDecision{action: linkRefuse, refused: RefusedLinked}
	default:
		return linkDecision{action: linkLink}
	}
}
