package middlewares

import (
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/logs"
	"tokentube/utils/respond"
)

// DeviceOf is the device that sent the request.
func DeviceOf(c *gin.Context) models.Device {
	agent := c.Request.UserAgent()
	return models.Device{UserAgent: strings.ToValidUTF8(agent[:min(len(agent), 300)], ""), IP: ClientIP(c)}
}

// note stores an event and logs it.
func (a *Auth) note(c *gin.Context, t models.EventType, s *models.Session) {
	device := DeviceOf(c)
	a.Log.WarnContext(c, "session event", "event", t, "user", s.User.Hex(), "session", s.ID.Hex(), "ip", logs.IP(device.IP), "request_id", respond.RequestID(c))
	if err := a.Events.Add(c, t, s, device); err != nil {
		a.Log.ErrorContext(c, "event not kept", "event", t, "error", err)
	}
}

// noteTheft records that two parties used a refresh token. In the token lab that is part of the game, and must alarm
// nobody.
func (a *Auth) noteTheft(c *gin.Context, s *models.Session) {
	if s.Kind == models.Lab {
		return
	}
	if err := a.Users.NoteTheft(c, s.User); err != nil {
		a.Log.ErrorContext(c, "theft not marked", "user", s.User.Hex(), "error", err)
	}
	a.note(c, models.EventTokenReuse, s)
}
