package stream

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// choose finds the encoding that a request asks for: the one that Accept
// weighs most (RFC 9110, section 12.5.1); of those that weigh the same one that
// it names before one that it only allows, then the earlier of Encoders. Who asks for nothing that
// is here gets the first that is not refused, because an answer that can be
// looked at helps more than 406.
func (h *Handler) choose(r *http.Request, q url.Values) *encoding {
	if h.polling != nil && !h.session && (q.Has("wait") || h.Upstream && q.Has("link")) {
		return h.polling
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	best, most := h.polling, refused-1
	for _, e := range h.encodings {
		if w := weigh(accept, e.media); !e.poll && w > most {
			best, most = e, w
		}
	}
	return best
}

// refused is the weight of what a client does not want.
const refused = -1

// weigh returns what an Accept header gives for a media type: its quality in
// thousandths, four times, and how closely the range says it that is closest; 0
// if none does.
func weigh(accept, media string) int {
	main, _, _ := strings.Cut(media, "/")
	weight, closest := 0, 0
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		fit := 0
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, media):
			fit = 3
		case strings.EqualFold(name, main+"/*"):
			fit = 2
		case name == "*/*":
			fit = 1
		}
		if fit <= closest {
			continue
		}
		closest = fit
		weight = 4*quality(params) + fit
		if weight < 4 {
			weight = refused
		}
	}
	return weight
}

// quality returns the q among parameters, in thousandths. One that cannot be
// understood counts as if it were not there.
func quality(params string) int {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err == nil && q >= 0 && q <= 1 {
			return int(q * 1000)
		}
	}
	return 1000
}
