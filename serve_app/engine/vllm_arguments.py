"""vLLM 0.32's arguments as data, so that checking one needs no vLLM.

`ARGUMENTS` comes from the file beside this one: name → int, float, bool, str, any, or the
values that it may have, `a|b|c`. A test compares it with the installed vLLM. `OWNED` are
the ones that a YAML may not set, because this application does. `GONE` are arguments of
older versions, and of articles about them, with what to do instead.
"""

from importlib.resources import files

_LIST = files("serve_app.engine").joinpath("vllm_arguments.txt").read_text(encoding="utf-8")

ARGUMENTS: dict[str, str] = dict(line.split() for line in _LIST.splitlines())

_HTTP = "host port root_path ssl_keyfile ssl_certfile ssl_ca_certs"
_CORS = "allowed_origins allow_credentials allowed_headers allowed_methods"
_DOOR = """
    ssl_cert_reqs ssl_ciphers enable_ssl_refresh uds grpc_port api_key middleware
    uvicorn_log_level disable_uvicorn_access_log disable_access_log_for_endpoints
    h11_max_header_count h11_max_incomplete_event_size
"""
_NODES = "nnodes node_rank master_addr master_port"
_RANKS = """
    data_parallel_address data_parallel_backend data_parallel_external_lb data_parallel_hybrid_lb
    data_parallel_multi_port_external_lb data_parallel_rank data_parallel_size_local
    data_parallel_start_rank
"""

OWNED: dict[str, str] = {
    "model": "set args.model",
    "served_model_name": "set args.names",
    **dict.fromkeys(_HTTP.split(), "set it in http_options"),
    **dict.fromkeys(_CORS.split(), "set cors in the Gateway's user_config"),
    **dict.fromkeys(_DOOR.split(), "clients reach the gateway, never vLLM's own server"),
    **dict.fromkeys(_NODES.split(), "Ray places the ranks: set placement_group_bundles"),
    **dict.fromkeys(_RANKS.split(), "the replica starts all of data_parallel_size"),
}

_SAMPLING = "max_tokens temperature top_k top_p"
_REQUEST = "best_of early_stopping length_penalty stream use_beam_search"

GONE: dict[str, str] = {
    **dict.fromkeys(_SAMPLING.split(), "set a default for requests in override_generation_config"),
    **dict.fromkeys(_REQUEST.split(), "remove it: it belongs in a request"),
    "cuda_graph_pad_input_dim": "use cudagraph_capture_sizes",
    "cuda_graph_sizes": "use cudagraph_capture_sizes",
    "device": "remove it: the installed vLLM decides",
    "disable_frontend_multiprocessing": "remove it: the front end is in the replica",
    "disable_log_requests": "remove it: only enable_log_requests logs them",
    "disable_mm_preprocessor_cache": "use mm_processor_cache_gb: 0",
    "enable_reasoning": "remove it: reasoning_parser is enough",
    "engine_use_ray": "remove it: the engine is in a Serve replica",
    "guided_decoding": "use structured_outputs_config",
    "guided_decoding_backend": "use structured_outputs_config: {backend: …}",
    "max_context_len_to_capture": "use max_cudagraph_capture_size",
    "max_long_partial_prefills": "use long_prefill_token_threshold",
    "max_num_partial_prefills": "use long_prefill_token_threshold",
    "max_seq_len_to_capture": "use max_cudagraph_capture_size",
    "multi_step_stream_outputs": "use stream_interval",
    "num_lookahead_slots": "use speculative_config",
    "num_redundant_experts": "use eplb_config: {num_redundant_experts: …}",
    "num_scheduler_steps": "remove it: async_scheduling replaced it and is on by itself",
    "num_speculative_tokens": "use speculative_config: {num_speculative_tokens: …}",
    "preemption_mode": "remove it: what is preempted is computed again",
    "prefill_chunk_size": "use max_num_batched_tokens",
    "rope_scaling": "use hf_overrides: {rope_parameters: …}",
    "rope_theta": "use hf_overrides: {rope_parameters: …}",
    "scheduler_delay_factor": "remove it: nothing is delayed",
    "speculative_model": "use speculative_config: {model: …}",
    "swap_space": "use kv_offloading_size",
    "task": "use runner and convert",
    "use_flash_attn": "use attention_backend",
    "use_v2_block_manager": "remove it: there is one block manager, the new one",
    "worker_use_ray": "use distributed_executor_backend: ray",
}
