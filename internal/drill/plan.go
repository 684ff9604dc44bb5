package drill

import (
	"slices"
	"strings"

	"causeway/internal/faulty"
)

// trial is one fault that a subject is put to.
type trial struct {
	fault faulty.Fault
	// late is true when the answer has begun before the fault shows: no gateway can take that back.
	late bool
	// stream asks for a streamed answer.
	stream bool
	// passing tells that the fault is of the kind that passes: it is also put to one connection in ten.
	passing bool
	// slow tells that only a limit ends it.
	slow bool
}

const (
	road = "connection_refused connect_timeout connect_reset unroutable dns_nxdomain dns_nodata dns_servfail dns_refused dns_timeout dns_dead_only"

	// http1 are the faults of a server that is asked in HTTP/1.1.
	http1 = "plain_to_tls plain_to_tls_alert banner_ssh http_09 status_missing header_bad_name header_cut_fin header_cut_rst header_too_large " +
		"cl_and_te cl_not_a_number te_unknown switch_unasked interim_flood close_on_accept close_before_response reset_before_response " +
		"reset_after_delay interim_cut stale_close stale_reset no_answer interim_then_silence stall_in_head slow_head " +
		"status_429 status_500 status_502_nginx status_503 status_504"
	http1Late = "body_cut_fin body_missing body_cut_rst body_close_delimited_rst chunk_bad_size chunk_cut_fin chunk_cut_rst stall_mid_body stall_mid_chunk"

	secure = "tls_unknown_authority tls_expired tls_not_yet_valid tls_name_mismatch tls_client_certificate tls_handshake_closed tls_handshake_reset " +
		"tls_handshake_timeout tls_alert tls_to_plain"

	model = "banner_ssh header_cut_fin header_cut_rst close_before_response reset_before_response stale_close no_answer interim_then_silence " +
		"stall_in_head body_cut_fin body_cut_rst chunk_cut_fin stall_mid_body status_502_nginx status_503_envoy status_504 " +
		"llm_invalid_api_key llm_forbidden llm_region llm_model_not_found llm_rate_limit llm_quota llm_server_error llm_overloaded llm_html llm_error_in_200 " +
		"llm_bad_gateway_page llm_empty llm_truncated_json llm_wrong_shape"
	modelStream     = "stream_error_first stream_html_typed stream_overloaded"
	modelStreamLate = "stream_cut_clean stream_cut_fin stream_cut_rst stream_no_done stream_error_later stream_stall"

	passing = "close_on_accept close_before_response reset_before_response reset_after_delay interim_cut header_cut_fin header_cut_rst no_answer " +
		"stall_in_head status_500 status_502_nginx status_503 status_503_envoy status_504 llm_server_error llm_overloaded " +
		"llm_bad_gateway_page llm_error_in_200 stream_error_first"
	slow = "connect_timeout dns_timeout tls_handshake_timeout no_answer interim_then_silence stall_in_head slow_head stall_mid_body stall_mid_chunk " +
		"stream_stall h2_first_byte h2_stall h2c_silent"
	h2Late = "h2_cancel_mid_body h2_body_cut_fin h2_body_cut_rst h2_body_short h2_stall h2_body_long h2_bad_hpack"
)

// serviceTrials are the faults of a service whose targets speak as told.
func serviceTrials(https, http2 bool) []trial {
	list := named(road)
	if http2 {
		late := strings.Fields(h2Late)
		for _, f := range faulty.All() {
			if strings.HasPrefix(f.Name, "h2") && f.Kind != "" && f.Name != "h2_only" && f.Needs == (faulty.Needs{}) {
				t := named(f.Name)
				t[0].late = slices.Contains(late, f.Name)
				list = append(list, t...)
			}
		}
	} else {
		list = slices.Concat(list, named(http1), late(named(http1Late)))
	}
	if https {
		list = append(list, named(secure)...)
	}
	return list
}

// modelTrials are the faults of models: the road to a provider, its answers, its streams.
func modelTrials(https bool) []trial {
	streams := append(named(modelStream), late(named(modelStreamLate))...)
	for i := range streams {
		streams[i].stream = true
	}
	list := slices.Concat(named(road), named(model), streams)
	if https {
		list = append(list, named(secure)...)
	}
	return list
}

// named makes trials of faults that this host can provoke.
func named(names string) (list []trial) {
	passes, waits := strings.Fields(passing), strings.Fields(slow)
	for _, name := range strings.Fields(names) {
		f, ok := faulty.Find(name)
		if !ok || f.Needs.Met() != nil {
			continue
		}
		list = append(list, trial{fault: f, passing: slices.Contains(passes, name), slow: slices.Contains(waits, name)})
	}
	return list
}

func late(list []trial) []trial {
	for i := range list {
		list[i].late = true
	}
	return list
}

// Faults are the names of all faults that a drill may put somebody to.
func Faults() (names []string) {
	for _, t := range slices.Concat(serviceTrials(true, false), serviceTrials(false, true), modelTrials(false)) {
		if !slices.Contains(names, t.fault.Name) {
			names = append(names, t.fault.Name)
		}
	}
	return names
}
