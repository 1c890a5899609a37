"""What people and attackers found wrong with flashing tools, boards, meters and readers of files: each kind, and the tests that hold it.

A row is (what went wrong, tests).  `tests/fault_table.py` puts the rows into docs/faults.md; `tests/test_fault_table.py` looks that every
test exists.
"""

from __future__ import annotations

Row = tuple[str, tuple[str, ...]]

#: tests are FILE::NAME without `test_`
DEVICES: tuple[Row, ...] = (
    (
        "first-boot options replace a file of the image, its only login with it, or what an earlier flash put there",
        (
            "card_loss::a_stock_image_keeps_its_login",
            "card_loss::edge_does_not_undo_itself",
            "merging::a_network_leaves_the_others_and_the_settings",
            "merging_lines::a_preseed_keeps_its_lines",
            "merging_lines::a_script_goes_on_before_it_takes_itself_away",
            "merging::what_cannot_be_merged_is_refused_by_name",
        ),
    ),
    ("an existing file is overwritten by --image, even one that is no image", ("card_loss::an_existing_file_is_written_over_when_that_is_wanted",)),
    (
        "after a rollback, flashing the same version again drops the other one and names one that is gone",
        ("versions::two_versions_are_kept", "versions::an_older_edge_left_a_ghost", "images::two_versions_are_kept"),
    ),
    ("an image keeps the name .xz and is raw", ("card_loss::a_name_that_says_packed_is_not_given_to_an_image",)),
    ("a flash that is killed leaves its copy of the image", ("card_loss::nothing_is_left_of_a_flash_that_is_killed",)),
    (
        "the model lies on /boot, on a disk of data, or on the wrong one of two systems",
        ("roots::the_root_is_found_by_evidence", "roots::what_cannot_be_told_is_refused"),
    ),
    (
        "a disk with sectors of 4,096 bytes is written as if they had 512",
        ("card_loss::a_disk_of_large_sectors_is_refused_before_anything_is_erased", "roots::a_gpt_for_large_sectors"),
    ),
    (
        "a rollback ends on a version that is damaged, empty or computes wrongly",
        ("versions::a_damaged_version_is_not_gone_back_to", "versions::one_that_computes_wrongly_is_not_gone_back_to"),
    ),
    (
        "settings are written that the system never reads: another instance of cloud-init, one that is off, a root in memory",
        (
            "effects::the_instance_of_the_command_line_is_changed_along",
            "card_loss::a_card_of_rpi_imager_runs_cloud_init_again",
            "effects::cloud_init_that_is_switched_off",
            "effects::where_no_cloud_init_is_seen_it_is_told",
            "effects::what_would_have_no_effect_is_refused",
        ),
    ),
    (
        "an ssh key that lets nobody in, or a user that the system has already",
        (
            "effects::a_key_that_lets_nobody_in",
            "effects::keys_of_ssh_keygen_are_whole_and_any_cut_is_not",
            "effects::users_of_every_system_are_refused",
            "effects::a_user_of_the_images_system_is_refused",
        ),
    ),
    ("a restart of the device undoes the flash", ("fleeting::what_a_restart_empties", "fleeting::flash_says_it")),
    (
        "a folder where a file should be; an image that a loop device holds",
        ("card_loss::a_folder_where_a_file_should_be", "card_loss::an_image_that_a_loop_device_has", "card_loss::a_real_loop_device"),
    ),
    (
        "a gauge that is stuck, slow, averaging, quantised, of another sign or unit gives a confident figure",
        (
            "gauges::the_band_holds_the_truth_or_there_is_no_figure",
            "gauges::a_gauge_that_misleads_has_no_figure",
            "gauges::few_readings_at_rest_are_no_rest",
        ),
    ),
    (
        "a charger that is plugged in meanwhile",
        ("gauges::a_charger_that_was_plugged_in_meanwhile_is_seen_afterwards", "gauges::a_phone_on_a_charger_is_seen_afterwards"),
    ),
    ("a core that is held down while another is looked at, or capped from the start", ("policies::every_policy_that_a_thread_may_use_is_watched",)),
    (
        "the heat of something that is no CPU; a quota that nobody names",
        ("policies::heat_is_that_of_the_cpu", "policies::a_quota_is_a_reason_where_it_is_less_than_the_threads", "quota::the_quota_of_a_machine"),
    ),
    ("the rail of the whole board is counted with its parts", ("gauges::on_a_thor_VIN_is_the_whole",)),
    (
        "a console that talks all the time, or has another prompt, is never logged in to",
        ("serial_prompts::a_board_that_is_odd_is_logged_in_to", "serial_prompts::what_shows_again_after_enter_is_a_prompt"),
    ),
    ("a device without any tool for checksums", ("transfer::a_device_that_cannot_check",)),
    ("the user's own ssh configuration breaks the connection", ("ssh_config::what_a_users_config_says_does_not_break_us",)),
    (
        "a file system with quotas or unknown features, no free inode, a full or missing FAT, a GPT by type or with a second one, logical "
        "partitions, other packers",
        (
            "card_loss::a_file_system_with_quotas_is_counted_right",
            "card_loss::a_feature_that_e2fsck_does_not_know",
            "card_loss::no_inodes_are_left",
            "card_loss::a_full_boot_partition",
            "roots::a_gpt_names_its_root_by_type",
            "roots::logical_partitions_are_read_as_sfdisk_wrote_them",
            "roots::no_place_for_first_boot_files",
            "hostile_images::a_damaged_gpt_is_refused",
            "card_loss::what_is_packed_otherwise_is_named",
        ),
    ),
    (
        "an expired password, a key file that is none, tools that answer in another language, a RAPL counter at 0",
        (
            "ssh_config::what_has_expired_is_named",
            "ssh_config::a_login_that_wants_a_new_password_first",
            "serial_prompts::an_expired_password_is_named",
            "ssh_config::a_key_file_that_is_none_is_told_what_it_is",
            "ssh_config::what_tools_say_there_is_in_english",
            "gauges::a_rapl_counter_at_0_is_not_counted",
        ),
    ),
)

FILES: tuple[Row, ...] = (
    (
        "a .pt2 runs Python: by guards, by a member whose name differs in case, by a second directory, by a target",
        (
            "hostile_pt2::guards_and_extra_files_are_dropped_unread",
            "hostile_pt2::a_member_whose_name_differs_in_case_is_refused",
            "hostile_pt2::a_zip_with_two_directories_is_refused",
            "hostile_pt2::a_target_that_is_not_an_operator_without_effects_is_refused",
            "hostile_pt2::only_refusals_come_out_of_mutants",
        ),
    ),
    ("another user makes our folder in /tmp first", ("devices::a_folder_in_tmp_that_another_could_have_made_is_refused",)),
    ("a picture starts another program", ("pictures::what_has_no_right_answer_is_one_line", "pictures::the_documents_list_the_formats")),
    (
        "a small file takes gigabytes",
        (
            "pictures::hostile_pictures_take_little_memory",
            "pictures::the_shape_is_refused_before_it_is_made",
            "arrays::hostile_arrays_are_one_line_and_take_no_memory",
        ),
    ),
    ("a child of a process whose other thread computes hangs", ("session_safety::a_child_of_a_process_whose_other_thread_runs_can_run",)),
    (
        "an output array that overlaps another",
        ("session_safety::an_out_array_may_be_an_input", "session_safety::two_out_arrays_that_share_memory_are_refused"),
    ),
    (
        "escapes and characters that turn the writing reach the terminal",
        (
            "terminal::one_function_for_all",
            "terminal::libraries_are_silent_in_a_command",
            "hostile_onnx::nothing_of_a_damaged_model_is_logged",
            "runner_hostile::hidden_characters_are_not_printed",
        ),
    ),
    ("numbers of thousands of digits and 100,000 unknown keys take minutes", ("hostile_artifacts::what_is_long_is_refused_before_it_is_worked_on",)),
    (
        "a damaged model or manifest ends in a traceback",
        (
            "hostile_artifacts::a_changed_manifest_is_refused",
            "hostile_artifacts::constants_that_cannot_be",
            "hostile_onnx::damage_is_one_line",
            "hostile_onnx::functions_that_call_one_another",
            "hostile_onnx::external_data_by_a_hard_link",
            "hostile_onnx::external_data_by_a_link_beside_the_model",
            "hostile_pt2::all_foreign_targets_are_named_at_once",
            "mutants::only_refusals_come_out",
        ),
    ),
    ("a library and its weights come from two files", ("session_safety::code_and_weights_are_of_one_file",)),
    (
        "the program takes an input twice, loses bytes of a pipe, cannot be told a name with '=', truncates a number",
        (
            "runner_hostile::an_input_given_twice_is_refused",
            "runner_hostile::a_raw_input_may_come_through_a_pipe",
            "runner_hostile::a_name_that_holds_an_equals_sign",
            "runner_hostile::more_files_than_the_runner_once_had_room_for",
            "runner_hostile::a_number_of_threads_beyond_an_int_is_refused",
        ),
    ),
    (
        "numbers that overflow a C int",
        (
            "special_numbers::any_bits_are_answered_as_float64_says",
            "digits::a_tensor_that_is_too_large_in_blocks_is_refused",
            "sanitized::sanitizers_are_quiet",
        ),
    ),
)
