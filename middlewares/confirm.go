package middlewares

import (
	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// RequireProof lets users pass who proved their identity a short while ago. It runs after the guard.
func (a *Auth) RequireProof(c *gin.Context) {
	if Current(c).Session.Proved(a.Now()) {
		return
	}
	if a.RequireFresh(c); !c.IsAborted() && !Current(c).Session.Proved(a.Now()) { // possibly proved through another process a moment ago
		respond.Error(c, apperr.New(apperr.Unconfirmed, "Confirm it's you first."))
	}
}
