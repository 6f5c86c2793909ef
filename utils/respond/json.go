package respond

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
)

// envelope is the format of every successful JSON response.
type envelope struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
	Success    bool   `json:"success"`
	Data       any    `json:"data"`
}

// errorEnvelope is the format of every error. The text has two names: message, as in a success, and userMessage for
// older clients.
type errorEnvelope struct {
	StatusCode  int            `json:"statusCode"`
	Success     bool           `json:"success"`
	Code        apperr.Code    `json:"code"`
	Message     string         `json:"message"`
	UserMessage string         `json:"userMessage"`
	Errors      []apperr.Field `json:"errors"`
	Data        any            `json:"data"`
	RequestID   string         `json:"requestId"`
}

func writeEnvelope(c *gin.Context, status int, message string, data any) error {
	body, err := json.Marshal(envelope{StatusCode: status, Message: message, Success: true, Data: data})
	if err != nil {
		return err
	}
	cacheHeaders(c, from(c).viewer(c) != nil)
	write(c, status, jsonType, body)
	return nil
}

const jsonType = "application/json; charset=utf-8"

func writeErrorEnvelope(c *gin.Context, e *apperr.Error) {
	fields := e.Fields
	if fields == nil {
		fields = []apperr.Field{}
	}
	cacheHeaders(c, true)
	if e.Status() == http.StatusUnauthorized && c.Writer.Header().Get("WWW-Authenticate") == "" {
		c.Header("WWW-Authenticate", `Bearer realm="tokentube"`) // RFC 6750 §3
	}
	c.JSON(e.Status(), errorEnvelope{
		StatusCode: e.Status(), Code: e.Code, Message: e.Message, UserMessage: e.Message,
		Errors: fields, RequestID: RequestID(c),
	})
}
